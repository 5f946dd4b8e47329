"""Keys about keys: the project's own, for its admins, and never another project's."""

import pytest

from compass.server.core.models import AuditEvent
from tests.api.test_me import KEY_MEMBERS
from tests.conftest import both
from tests.world import World


@both
def test_an_admin_key_lists_its_project_alone(world: World) -> None:
    world.add_project("Other")
    world.key("Elsewhere", project="Other")
    world.key("Bob's", by="bob", type="personal")
    secret, _ = world.key("Admin", role="admin")
    answer = world.call("/v1/keys", secret).json
    assert [key["name"] for key in answer["items"]] == ["Admin", "Bob's"]
    assert answer["next_cursor"] is None
    assert all(set(key) == KEY_MEMBERS for key in answer["items"])


@both
def test_pages_follow_the_cursor(world: World) -> None:
    secret, _ = world.key("Key 0", role="admin")
    for number in range(1, 7):
        world.key(f"Key {number}")
    names, path = [], "/v1/keys?limit=3"
    while path:
        answer = world.call(path, secret).json
        names += [key["name"] for key in answer["items"]]
        cursor = answer["next_cursor"]
        path = f"/v1/keys?limit=3&cursor={cursor}" if cursor else ""
    assert names == [f"Key {number}" for number in reversed(range(7))]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=",
        "limit=%00",
        f"limit={'9' * 5000}",
        "limit=%D9%A1",
        "limit=1_0",
        "limit=+1",
        "cursor=x",
        "cursor=",
        "cursor=%00",
        "cursor=%FF",
        f"cursor={'x' * 5000}",
        f"cursor=key_{'0' * 22}'",
        f"cursor=KEY_{'0' * 23}",
        f"cursor=prj_{'0' * 23}",
    ],
)
def test_nonsense_in_the_query_is_said_at_its_place(world: World, query: str) -> None:
    secret, _ = world.key(role="admin")
    response = world.call(f"/v1/keys?{query}", secret)
    assert response.status_code == 422
    assert response.json["code"] == "validation_error"
    assert list(response.json["errors"]) == [f"/{query.split('=')[0]}"]


def test_unknown_query_parameters_are_ignored(world: World) -> None:
    secret, _ = world.key(role="admin")
    assert world.call("/v1/keys?colour=red", secret).status_code == 200


@both
def test_a_foreign_key_is_not_found(world: World) -> None:
    """P1: another project's object is a 404, and stays as it is."""
    world.add_project("Other")
    other_secret, other_id = world.key("Elsewhere", project="Other")
    secret, _ = world.key(role="admin")
    for method, path in (("GET", ""), ("POST", "/revoke")):
        response = world.call(f"/v1/keys/{other_id}{path}", secret, method)
        assert (response.status_code, response.json["code"]) == (404, "not_found")
    assert world.call("/v1/me", other_secret).status_code == 200


@both
def test_revoking_takes_effect_at_once_and_again_and_again(world: World) -> None:
    """P8, and one audit event for it."""
    admin, admin_id = world.key("Admin", role="admin")
    secret, key_id = world.key("Victim")
    first = world.call(f"/v1/keys/{key_id}/revoke", admin, "POST")
    assert first.status_code == 200
    assert first.json["status"] == "revoked"
    assert first.json["revoked_by"] == {
        "type": "key", "id": admin_id, "email": None, "name": "Admin",
    }  # fmt: skip
    assert world.call("/v1/me", secret).json["code"] == "revoked_token"
    assert world.call(f"/v1/keys/{key_id}/revoke", admin, "POST").json == first.json
    assert len(world.events("key.revoked")) == 1


@both
def test_a_member_key_can_only_end_itself(world: World) -> None:
    secret, key_id = world.key(role="member")
    _, other_id = world.key("Other")
    for method, path in (
        ("GET", "/v1/keys"),
        ("GET", f"/v1/keys/{other_id}"),
        ("POST", f"/v1/keys/{other_id}/revoke"),
    ):
        assert world.call(path, secret, method).json["code"] == "insufficient_role"
    answer = world.call("/v1/keys/self/revoke", secret, "POST")
    assert (answer.status_code, answer.json["id"]) == (200, key_id)
    assert answer.json["revoked_by"]["id"] == key_id
    assert world.call("/v1/me", secret).status_code == 401
    assert world.stored(other_id).revoked_at is None


def test_refusals_are_no_writes(world: World) -> None:
    """A flood at the key door must not become a flood of rows."""
    secret, _ = world.key(role="member")
    before = world.count(AuditEvent)
    for token in (secret, "nonsense", None):
        world.call("/v1/keys", token)
    assert world.count(AuditEvent) == before


@both
@pytest.mark.parametrize(
    "key_id", ["x", "key_", "x%00", "key_%00", "%F0%9F%94%91", "key_" + "0" * 22]
)
def test_an_id_that_is_none_is_not_found(world: World, key_id: str) -> None:
    secret, _ = world.key(role="admin")
    for method, path in (("GET", ""), ("POST", "/revoke")):
        response = world.call(f"/v1/keys/{key_id}{path}", secret, method)
        assert (response.status_code, response.json["code"]) == (404, "not_found")
