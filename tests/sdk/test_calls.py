"""Every call, by the synchronous client, against the app in this process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compass import AuthenticationError, Compass, Conflict, Key, NotFound, Person, Project
from compass.sdk import exchange
from compass.sdk.shapes import read
from tests.target import a_target
from tests.world import World

Connect = Callable[[str], Compass]

HTTP = {"base_url": "https://api.example.org"}
BEARER = {"auth": "bearer", "token": "of the other side"}


def test_me(world: World, connect: Connect) -> None:
    secret, key_id = world.key(by="bob", type="personal", days="30")
    me = connect(secret).me()
    bob = Person(world.bob, "bob@example.org", "Bob")
    assert me.user == me.key.owner == me.key.created_by == bob
    assert me.project == Project(world.project, "Default")
    assert (me.role, me.key.id, me.key.type, me.key.status) == (
        "member", key_id, "personal", "active",
    )  # fmt: skip
    assert me.key.hint == f"{secret[:16]}…{secret[-4:]}"
    assert me.key.expires_at is not None
    assert me.key.expires_at.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - me.key.created_at < timedelta(minutes=5)
    assert (me.key.revoked_at, me.key.revoked_by) == (None, None)


def test_keys_are_listed_read_and_revoked(world: World, admin: Compass) -> None:
    _, key_id = world.key("Doomed")
    assert [key.name for key in admin.keys.list()] == ["Doomed", "Admin"]
    assert admin.keys.get(key_id).status == "active"
    revoked = admin.keys.revoke(key_id)
    assert revoked.status == "revoked"
    assert revoked.revoked_by is not None
    assert (revoked.revoked_by.type, revoked.revoked_by.name) == ("key", "Admin")
    assert admin.keys.revoke(key_id) == revoked


def test_lists_page_by_themselves(
    world: World, admin: Compass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "PAGE", 2)
    for number in range(4):
        world.key(f"Key {number}")
    names = [key.name for key in admin.keys.list()]
    assert names == ["Key 3", "Key 2", "Key 1", "Key 0", "Admin"]


def test_a_list_asks_for_no_more_than_is_come_to(
    world: World, admin: Compass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "PAGE", 1)
    world.key("Newest")
    statements = world.statements()
    listed = admin.keys.list()
    assert not statements
    assert next(listed).name == "Newest"
    once = len(statements)
    assert next(listed).name == "Admin"
    assert len(statements) > once


def test_a_key_revokes_itself(world: World, connect: Connect) -> None:
    secret, key_id = world.key()
    client = connect(secret)
    assert client.keys.revoke_self().id == key_id
    with pytest.raises(AuthenticationError) as caught:
        client.me()
    assert caught.value.code == "revoked_token"


def test_a_key_rotates_itself(world: World, connect: Connect) -> None:
    secret, key_id = world.key()
    client = connect(secret)
    rotated = client.keys.rotate_self(overlap_hours=2)
    assert rotated.key.id == key_id
    assert rotated.secret not in repr(rotated)
    left = rotated.previous_ends_at - datetime.now(UTC)
    assert timedelta(minutes=115) < left <= timedelta(hours=2)
    # Both work until then, and this client goes on with the one that it has.
    assert connect(rotated.secret).me().key.hint == rotated.key.hint
    assert client.me().key.id == key_id
    with pytest.raises(Conflict):
        client.keys.rotate_self()


def test_connections(admin: Compass, member: Compass) -> None:
    made = admin.connections.create("chat", "http", HTTP, BEARER)
    assert (made.name, made.kind, made.has_credentials, made.check) == ("chat", "http", True, None)
    assert made.config["base_url"] == HTTP["base_url"]
    assert [each.id for each in member.connections.list()] == [made.id]
    assert member.connections.get(made.id) == made
    renamed = admin.connections.update(made.id, name="talk")
    assert (renamed.name, renamed.config) == ("talk", made.config)
    assert renamed.updated_at >= made.updated_at
    admin.connections.delete(made.id)
    with pytest.raises(NotFound):
        member.connections.get(made.id)
    with pytest.raises(NotFound):
        admin.connections.delete(made.id)


def test_a_check_tells_its_outcome(admin: Compass) -> None:
    with a_target() as target:
        made = admin.connections.create("chat", "http", {"base_url": target.url}, BEARER)
        checked = admin.connections.check(made.id)
    assert checked.check is not None
    assert checked.check.ok, checked.check.message
    again = admin.connections.check(made.id)
    assert again.check is not None
    assert not again.check.ok
    assert again.check.message
    assert again.check.at > checked.check.at


def test_workflows(admin: Compass, member: Compass) -> None:
    admin.connections.create("chat", "http", HTTP, BEARER)
    document: dict[str, Any] = {
        "name": "greet",
        "input_schema": {"type": "object", "required": ["who"]},
        "steps": [{"name": "say", "connection": "chat", "method": "GET", "path": "/hello"}],
        "output": {"said": "{{ steps.say.status }}"},
    }
    made = admin.workflows.create(**document)
    assert (made.name, made.version, made.output) == ("greet", 1, document["output"])
    assert made.steps[0]["path"] == "/hello"
    assert [each.id for each in member.workflows.list()] == [made.id]
    assert member.workflows.get(made.id) == made
    replaced = admin.workflows.replace(made.id, "hail", made.steps)
    assert (replaced.id, replaced.name, replaced.version) == (made.id, "hail", 2)
    assert replaced.input_schema is replaced.output is None
    admin.workflows.delete(made.id)
    with pytest.raises(NotFound):
        member.workflows.get(made.id)


@pytest.mark.parametrize("id_", ["", ".", "..", "a/b", "../keys", "a?b", "ä#", "%2e"])
def test_an_id_is_one_step_of_a_path(id_: str, admin: Compass) -> None:
    with pytest.raises(NotFound):
        admin.connections.get(id_)
    with pytest.raises(NotFound):
        admin.connections.delete(id_)


def test_members_that_come_later_are_left_out(world: World, admin: Compass) -> None:
    """A client goes on with a server that is newer, and with one that is a little older."""
    members = {"id": "prj_1", "name": "Default", "colour": "blue"}
    assert read(Project, members) == Project("prj_1", "Default")
    key = world.call("/v1/me", world.key("Other")[0]).json["key"]
    del key["last_used_at"]
    assert read(Key, key).last_used_at is None
    with pytest.raises(KeyError):
        read(Project, {"id": "prj_1"})
