"""Every exception, raised by the real server's real answer."""

import pickle
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from limits import parse_many

from compass import (
    APIError,
    AuthenticationError,
    Compass,
    CompassError,
    Conflict,
    Invalid,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    Unreachable,
)
from compass.server import create_app
from compass.server.config import Settings
from compass.server.core import users
from compass.server.core.models import Key
from compass.server.core.tokens import mint
from compass.server.db import db
from tests.conftest import dispose
from tests.sdk.proxy import Proxy, answering
from tests.sdk.test_calls import BEARER, HTTP
from tests.servers import free_port
from tests.world import World

Connect = Callable[[str], Compass]

REQUEST_ID = re.compile(r"req_[0-9a-f]{16}")


def test_a_refusal_tells_status_code_words_and_request_id(connect: Connect) -> None:
    with pytest.raises(AuthenticationError) as caught:
        connect(mint("service_account")).me()
    error = caught.value
    assert isinstance(error, APIError)
    assert isinstance(error, CompassError)
    assert (error.status, error.code, error.errors) == (401, "invalid_token", {})
    assert error.request_id is not None
    assert REQUEST_ID.fullmatch(error.request_id)
    assert str(error) == f"{error.detail} (401 invalid_token, {error.request_id})"


def test_the_reasons_of_a_401(world: World, connect: Connect) -> None:
    revoked, revoked_id = world.key("Revoked")
    connect(revoked).keys.revoke_self()
    expired, expired_id = world.key("Expired", days="1")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    world.set_columns(Key, Key.id == expired_id, expires_at=yesterday)
    orphan, _ = world.key("Orphan", by="bob", type="personal")
    world.change("bob", users.disable)
    codes = ((revoked, "revoked_token"), (expired, "expired_token"), (orphan, "owner_inactive"))
    for secret, code in codes:
        with pytest.raises(AuthenticationError) as caught:
            connect(secret).me()
        assert (caught.value.status, caught.value.code) == (401, code)


def test_a_member_key_may_not_write(member: Compass) -> None:
    with pytest.raises(PermissionDenied, match="needs the role admin") as caught:
        member.connections.create("chat", "http", HTTP, BEARER)
    assert (caught.value.status, caught.value.code) == (403, "insufficient_role")


def test_what_another_project_has_is_not_found(world: World, connect: Connect) -> None:
    world.add_project("Other")
    other = connect(world.key("Other", project="Other", role="admin")[0])
    made = other.connections.create("chat", "http", HTTP, BEARER)
    mine = connect(world.key(role="admin")[0])
    with pytest.raises(NotFound) as caught:
        mine.connections.get(made.id)
    assert (caught.value.status, caught.value.code) == (404, "not_found")


def test_a_name_that_is_taken_is_a_conflict(admin: Compass) -> None:
    admin.connections.create("chat", "http", HTTP, BEARER)
    with pytest.raises(Conflict, match="chat") as caught:
        admin.connections.create("chat", "http", HTTP, BEARER)
    assert (caught.value.status, caught.value.code) == (409, "conflict")


def test_what_is_invalid_is_told_with_its_place(admin: Compass) -> None:
    with pytest.raises(Invalid) as caught:
        admin.connections.create("", "http", {"base_url": "ftp://x"}, BEARER)
    assert (caught.value.status, caught.value.code) == (422, "validation_error")
    assert set(caught.value.errors) == {"/name", "/config/base_url"}
    assert all(isinstance(text, str) for texts in caught.value.errors.values() for text in texts)
    assert "/config/base_url" in str(caught.value)


def test_a_body_that_is_too_large_is_an_api_error(admin: Compass) -> None:
    with pytest.raises(APIError) as caught:
        admin.connections.create("chat", "http", {"base_url": "x" * 2**21}, BEARER)
    assert type(caught.value) is APIError
    assert (caught.value.status, caught.value.code) == (413, "too_large")


def test_too_many_calls_are_rate_limited(settings: Settings, world: World) -> None:
    limited = create_app(replace(settings, rate_limit=tuple(parse_many("2/hour"))))
    transport = httpx.WSGITransport(app=limited)
    with Compass(world.key()[0], "http://compass.test", transport=transport) as client:
        client.me()
        client.me()
        # An hour is more than is waited for by itself.
        with pytest.raises(RateLimited) as caught:
            client.me()
    dispose(limited)
    assert (caught.value.status, caught.value.code) == (429, "rate_limited")
    assert caught.value.retry_after is not None
    assert 3000 < caught.value.retry_after <= 3601


def test_a_server_without_its_database(world: World, admin: Compass) -> None:
    with world.app.app_context():
        db.session.execute(db.text("ALTER TABLE connections RENAME TO elsewhere"))
        db.session.commit()
    with pytest.raises(ServerError) as caught:
        list(admin.connections.list())
    assert (caught.value.status, caught.value.code) == (503, "unavailable")


def test_nobody_is_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        Compass(mint("service_account"), url) as client,
        pytest.raises(Unreachable, match=f"can't be reached at {url}.*COMPASS_BASE_URL"),
    ):
        client.me()


def test_somebody_takes_the_connection_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Compass(mint("personal"), url, timeout=0.05, max_retries=0) as client,
            pytest.raises(Unreachable, match=r"did not answer within 0\.05 s"),
        ):
            client.me()


def test_something_else_is_at_the_address(world: World, proxy: Proxy) -> None:
    proxy.next = [
        answering(200, "<h1>It works!</h1>"),
        answering(200, '{"id": 1}'),
        answering(200, "[]"),
    ]
    with Compass(world.key()[0], proxy.url) as client:
        for _ in range(3):
            with pytest.raises(Unreachable, match="not as Compass does"):
                client.me()
    assert len(proxy.seen) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (404, NotFound), (418, APIError), (500, ServerError)],
)
def test_a_proxy_answers_in_its_own_words(
    status: int, kind: type[APIError], world: World, proxy: Proxy
) -> None:
    proxy.next = [answering(status, "<h1>No</h1>")]
    with Compass(world.key()[0], proxy.url) as client, pytest.raises(APIError) as caught:
        client.me()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code) == (status, None)
    assert f"GET {proxy.url}/v1/me answered {status}" in str(caught.value)


@pytest.mark.parametrize("body", ["{}", '{"errors": {"/a": "b"}, "code": 3}', "[]", "no JSON", ""])
def test_a_problem_may_be_less_than_ours(body: str, world: World, proxy: Proxy) -> None:
    proxy.next = [answering(422, body, Content_Type="application/problem+json")]
    with Compass(world.key()[0], proxy.url) as client, pytest.raises(Invalid) as caught:
        client.me()
    assert (caught.value.code, caught.value.request_id) == (None, None)
    assert "None" not in str(caught.value)


def test_no_proxy_comes_between_this_machine_and_itself(
    world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Compass(world.key()[0], proxy.url) as client:
        assert client.me().project.name == "Default"
    with (
        Compass(world.key("Other")[0], "http://compass.test", max_retries=0) as client,
        pytest.raises(Unreachable),
    ):
        client.me()


def test_no_redirect_is_followed(world: World, proxy: Proxy) -> None:
    """Neither to another origin, with the key, nor at all: the words say where to look."""
    elsewhere = f"http://localhost:{proxy.url.rpartition(':')[2]}/v1/me"
    proxy.next = [answering(308, Location=elsewhere)]
    with Compass(world.key()[0], proxy.url) as client, pytest.raises(APIError) as caught:
        client.me()
    assert caught.value.status == 308
    assert elsewhere in str(caught.value)
    assert "COMPASS_BASE_URL" in str(caught.value)
    assert len(proxy.seen) == 1


def test_errors_go_through_a_pickle(admin: Compass) -> None:
    """Task queues send them from one process to another."""
    with pytest.raises(Invalid) as caught:
        admin.connections.create("", "http", HTTP, BEARER)
    copied = pickle.loads(pickle.dumps(caught.value))
    assert type(copied) is Invalid
    assert str(copied) == str(caught.value)
    assert vars(copied) == vars(caught.value)
