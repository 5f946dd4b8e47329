"""The table of section 5: what each kind of credentials gets."""

from random import Random

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from compass.server.core import users
from compass.server.core.models import Key, KeySecret
from compass.server.core.tokens import ALPHABET, checksum, is_well_formed
from tests.conftest import both
from tests.world import World

KEY = "compass_sa_00000000000000000000000000000000000000004OSWh2"


def ask(world: World, *authorization: str, path: str = "/v1/me"):  # type: ignore[no-untyped-def]
    headers = [("Authorization", value) for value in authorization]
    return world.app.test_client().get(path, headers=headers)


def refused(response, status: int, code: str) -> None:  # type: ignore[no-untyped-def]
    assert (response.status_code, response.json["code"]) == (status, code)
    assert response.content_type == "application/problem+json"
    assert response.json["status"] == status
    assert response.json["type"] == "about:blank"
    assert response.json["request_id"] == response.headers["X-Request-Id"]
    assert set(response.json) == {"type", "title", "status", "detail", "code", "request_id"}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Basic QWxhZGRpbjpvcGVu",
        'Digest username="a", realm="b, c d", qop=auth, nc=00000001',
        "Bearerish abc",
    ],
)
def test_no_credentials_or_another_scheme_are_missing(world: World, header: str | None) -> None:
    response = ask(world, *([header] if header else []))
    refused(response, 401, "missing_token")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="compass"'


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "",
        f"Bearer {KEY} {KEY}",
        f"Bearer {KEY},{KEY}",
        f"Bearer {KEY}, Bearer {KEY}",
        f"Basic abc,Bearer {KEY}",
        "Bearer sch\u00fcssel",
        "Bearer a=b",
        'Bearer "quoted"',
        "Bearer a\tb",
        f"Bearer\t{KEY}",
    ],
)
def test_a_malformed_header_is_a_bad_request(world: World, header: str) -> None:
    response = ask(world, header)
    refused(response, 400, "invalid_request")
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="compass", error="invalid_request", error_desc')


def test_two_headers_are_a_bad_request(world: World) -> None:
    secret, _ = world.key()
    refused(ask(world, f"Bearer {secret}", f"Bearer {secret}"), 400, "invalid_request")
    for pair in (
        ("Basic abc", f"Bearer {secret}"),
        (f"Bearer {secret}", "Basic abc"),
        ("Basic abc", "Basic def"),
        ('Digest username="a, b c", realm="d"', 'Digest username="e"'),
        ("Basic abc", "Token x"),
        ("", ""),
    ):
        refused(ask(world, *pair), 400, "invalid_request")


@pytest.mark.parametrize(
    "query", ["access_token=x", "access_token=", f"q={KEY}", f"a=x%3D{KEY}", KEY, f"x{KEY}=1"]
)
def test_a_key_in_the_address_is_a_bad_request(world: World, query: str) -> None:
    secret, _ = world.key()
    refused(ask(world, f"Bearer {secret}", path=f"/v1/me?{query}"), 400, "invalid_request")
    refused(ask(world, path=f"/v1/me?{query}"), 400, "invalid_request")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "abc.def-ghi_~+/==",
        KEY,
        KEY[:-1],
        KEY + "0",
        KEY.replace("_sa_", "_pat_"),
        KEY.upper(),
        "a" * 100_000,
    ],
)
def test_unknown_tokens_are_invalid(world: World, token: str) -> None:
    response = ask(world, f"Bearer {token}")
    refused(response, 401, "invalid_token")
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_has_no_case(world: World, scheme: str) -> None:
    secret, _ = world.key()
    assert ask(world, f"{scheme} {secret}").status_code == 200


def test_one_changed_character_never_reaches_the_database(world: World) -> None:
    secret, _ = world.key()
    asked = world.statements()
    for place in range(len(secret)):
        wrong = secret[:place] + ("a" if secret[place] != "a" else "b") + secret[place + 1 :]
        assert ask(world, f"Bearer {wrong}").status_code == 401
    assert asked == []
    assert ask(world, f"Bearer {secret}").status_code == 200
    assert any("key_secrets.digest = '" in statement for statement in asked)


def test_ten_thousand_random_strings(world: World) -> None:
    """Of a key's shape, and not. None of them reaches the database, none makes it crash."""
    random = Random(20261123)
    letters = ALPHABET + '-._~+/=_ ,;:"\\\t%\u00e9'
    asked = world.statements()
    client = world.app.test_client()
    for number in range(10_000):
        if number % 2:
            start = random.choice(("compass_sa_", "compass_pat_", "Compass_sa_", "compass_"))
            token = start + "".join(random.choices(ALPHABET, k=random.choice((45, 46, 46, 46, 47))))
        else:
            token = "".join(random.choices(letters, k=random.randrange(120)))
        if is_well_formed(token):
            continue
        answer = client.get("/v1/me", headers=[("Authorization", f"Bearer {token}")])
        assert answer.json
        assert (answer.status_code, answer.json["code"]) in {
            (401, "invalid_token"), (400, "invalid_request"),
        }, token  # fmt: skip
    assert asked == []


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=80))
def test_no_header_makes_it_crash(world: World, text: str) -> None:
    for header in (text, f"Bearer {text}"):
        assert ask(world, header).status_code in {400, 401}


@both
def test_a_revoked_key_is_told_so(world: World) -> None:
    secret, key_id = world.key()
    world.call("/v1/keys/self/revoke", secret, "POST")
    response = ask(world, f"Bearer {secret}")
    refused(response, 401, "revoked_token")
    assert "was revoked at 20" in response.json["detail"]
    assert response.json["detail"] in response.headers["WWW-Authenticate"]


@both
def test_an_expired_key_is_told_so(world: World) -> None:
    secret, key_id = world.key(days="3")
    assert ask(world, f"Bearer {secret}").status_code == 200
    world.set_columns(Key, Key.id == key_id, expires_at=world.stored(key_id).created_at)
    response = ask(world, f"Bearer {secret}")
    refused(response, 401, "expired_token")
    assert "expired at 20" in response.json["detail"]


@both
def test_a_secret_that_was_rotated_out_is_told_so(world: World) -> None:
    secret, key_id = world.key()
    ended = world.stored(key_id).created_at
    world.set_columns(KeySecret, KeySecret.key_id == key_id, ends_at=ended)
    refused(ask(world, f"Bearer {secret}"), 401, "rotated_token")


@both
def test_revoked_comes_before_expired(world: World) -> None:
    secret, key_id = world.key(days="3")
    world.call("/v1/keys/self/revoke", secret, "POST")
    world.set_columns(Key, Key.id == key_id, expires_at=world.stored(key_id).created_at)
    refused(ask(world, f"Bearer {secret}"), 401, "revoked_token")


@both
def test_a_token_of_a_disabled_owner_is_refused(world: World) -> None:
    secret, _ = world.key(by="bob", type="personal")
    world.change("bob", users.disable)
    refused(ask(world, f"Bearer {secret}"), 401, "owner_inactive")


def test_the_reason_is_told_only_for_a_whole_secret(world: World) -> None:
    secret, _ = world.key()
    world.call("/v1/keys/self/revoke", secret, "POST")
    other = secret[:-7] + ("a" if secret[-7] != "a" else "b")
    refused(ask(world, f"Bearer {other}{checksum(other)}"), 401, "invalid_token")


def test_a_member_key_is_told_what_it_lacks(world: World) -> None:
    secret, _ = world.key(role="member")
    response = ask(world, f"Bearer {secret}", path="/v1/keys")
    refused(response, 403, "insufficient_role")
    challenge = response.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert challenge.endswith('scope="admin"')
    assert "needs the role admin, and this key has member" in response.json["detail"]


def test_a_project_name_can_not_break_the_header(world: World) -> None:
    world.add_project('Quo"te\\ Ünïcode')
    world.set_role("bob", "admin", 'Quo"te\\ Ünïcode')
    secret, _ = world.key(by="bob", type="personal", project='Quo"te\\ Ünïcode')
    world.set_role("bob", "member", 'Quo"te\\ Ünïcode')
    response = ask(world, f"Bearer {secret}", path="/v1/keys")
    refused(response, 403, "insufficient_role")
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.isascii()
    assert challenge.count('"') == 8
    assert "\\" not in challenge


def test_an_unknown_path_is_not_found_without_a_key(world: World) -> None:
    refused(ask(world, path="/v1/nothing"), 404, "not_found")
    refused(ask(world, path="/v1"), 404, "not_found")


def test_another_method_is_not_allowed(world: World) -> None:
    response = world.call("/v1/me", method="DELETE")
    refused(response, 405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


def test_the_alphabet_is_what_the_pattern_takes() -> None:
    assert len(ALPHABET) == 62
