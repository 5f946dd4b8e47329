"""P1, P5, P7: the key alone says which project it is for and what it may do."""

import re

from compass.server.core import users
from tests.conftest import both
from tests.world import World

KEY_MEMBERS = {
    "id", "name", "type", "role", "status", "hint", "owner", "created_by", "created_at",
    "expires_at", "last_used_at", "revoked_at", "revoked_by",
}  # fmt: skip
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@both
def test_a_service_account_is_told_its_project_and_role(world: World) -> None:
    secret, key_id = world.key(role="admin")
    me = world.call("/v1/me", secret).json
    assert set(me) == {"key", "role", "project", "user"}
    assert set(me["key"]) == KEY_MEMBERS
    assert me["role"] == "admin"
    assert me["project"] == {"id": world.project, "name": "Default"}
    assert me["user"] is None
    key = me["key"]
    assert (key["id"], key["name"], key["type"]) == (key_id, "CI Pipeline", "service_account")
    assert key["status"] == "active"
    assert key["hint"] == f"{secret[:15]}…{secret[-4:]}"
    assert key["owner"] is None
    assert key["created_by"] == {"id": world.alice, "email": "alice@example.org", "name": "Alice"}
    assert INSTANT.fullmatch(key["created_at"])
    assert key["expires_at"] is key["revoked_at"] is key["revoked_by"] is None


@both
def test_a_personal_token_is_told_its_owner(world: World) -> None:
    secret, _ = world.key(by="bob", type="personal")
    me = world.call("/v1/me", secret).json
    bob = {"id": world.bob, "email": "bob@example.org", "name": "Bob"}
    assert me["user"] == me["key"]["owner"] == bob
    assert me["role"] == me["key"]["role"] == "member"


def test_the_secret_is_in_no_answer(world: World) -> None:
    secret, key_id = world.key(role="admin")
    for path in ("/v1/me", "/v1/keys", f"/v1/keys/{key_id}", "/v1/openapi.json"):
        assert secret not in world.call(path, secret).text


def test_no_header_or_parameter_changes_the_project(world: World) -> None:
    other = world.add_project("Other")
    secret, _ = world.key()
    client = world.app.test_client()
    for headers, query in (({"X-Project": other}, ""), ({}, f"?project={other}")):
        sent = {"Authorization": f"Bearer {secret}", **headers}
        me = client.get(f"/v1/me{query}", headers=sent).get_json()
        assert me["project"]["id"] == world.project


@both
def test_a_personal_token_follows_its_owner_down_and_up(world: World) -> None:
    """P5: the lower of its own role and what its owner has in the project now."""
    world.set_role("bob", "admin")
    secret, _ = world.key(by="bob", type="personal")

    def role() -> str:
        return str(world.call("/v1/me", secret).json["role"])

    assert role() == "admin"
    assert world.call("/v1/keys", secret).status_code == 200
    world.set_role("bob", "member")
    assert role() == "member"
    assert world.call("/v1/keys", secret).status_code == 403
    world.set_role("bob", None)
    assert world.call("/v1/me", secret).json["code"] == "owner_inactive"
    world.set_role("bob", "admin")
    assert role() == "admin"
    world.change("bob", users.disable)
    assert world.call("/v1/me", secret).json["code"] == "owner_inactive"
    world.change("bob", users.enable)
    assert role() == "admin"


@both
def test_a_lowered_token_stays_low(world: World) -> None:
    secret, _ = world.key(by="alice", type="personal", role="member")
    assert world.call("/v1/me", secret).json["role"] == "member"


@both
def test_an_organization_admins_token_follows_their_demotion(world: World) -> None:
    world.add_user("dora", admin=True)
    secret, _ = world.key(by="dora", type="personal")
    assert world.call("/v1/me", secret).json["role"] == "admin"
    world.change("dora", users.demote)
    assert world.call("/v1/me", secret).json["code"] == "owner_inactive"
    world.set_role("dora", "member")
    assert world.call("/v1/me", secret).json["role"] == "member"


@both
def test_a_service_account_survives_its_maker(world: World) -> None:
    """P4: an identity of its own."""
    world.set_role("bob", "admin")
    secret, _ = world.key(by="bob", role="admin")
    world.set_role("bob", "member")
    assert world.call("/v1/me", secret).json["role"] == "admin"
    world.set_role("bob", None)
    assert world.call("/v1/me", secret).json["role"] == "admin"
    world.change("bob", users.disable)
    assert world.call("/v1/keys", secret).status_code == 200


@both
def test_a_key_says_when_it_is_about_to_expire(world: World) -> None:
    soon, soon_id = world.key("Soon", days="14")
    later, _ = world.key("Later", days="15")
    expires = world.call("/v1/me", soon).json["key"]["expires_at"]
    assert world.call("/v1/me", soon).headers["Compass-Key-Expires"] == expires
    # Every response to it, also a refusal.
    assert "Compass-Key-Expires" in world.call("/v1/keys", soon).headers
    assert "Compass-Key-Expires" not in world.call("/v1/me", later).headers


@both
def test_last_use_is_noted_once_a_minute(world: World) -> None:
    secret, key_id = world.key()
    assert world.stored(key_id).last_use is None
    world.call("/v1/me", secret, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    first = world.stored(key_id).last_use
    assert first is not None
    assert first.last_used_address == "192.0.2.7"
    world.call("/v1/me", secret, environ_overrides={"REMOTE_ADDR": "192.0.2.8"})
    second = world.stored(key_id).last_use
    assert second is not None
    assert second.last_used_address == "192.0.2.7"
    assert second.last_used_at == first.last_used_at


def test_a_key_in_the_user_agent_is_not_stored(world: World) -> None:
    secret, key_id = world.key()
    headers = {"Authorization": f"Bearer {secret}", "User-Agent": f"curl {secret}"}
    world.app.test_client().get("/v1/me", headers=headers)
    used = world.stored(key_id).last_use
    assert used is not None
    assert used.last_used_agent == f"curl {used.hint}"
