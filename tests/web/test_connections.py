"""Connections in the browser: stored, changed, checked and deleted, and never seen again."""

import re
from collections.abc import Iterator

import pytest

from compass.server.core import vault
from compass.server.core.models import Connection
from compass.server.db import db
from tests.conftest import both
from tests.target import Target, a_target
from tests.test_routes import WORKFLOW
from tests.world import World

TOKEN = "very-secret-token-of-the-target"
HTTP = {
    "name": "chat",
    "kind": "http",
    "base_url": " https://api.example.org/v2/ ",
    "headers": "X-Team: ops\r\n\r\nAccept:application/json",
    "auth": "bearer",
    "token": TOKEN,
}
POSTGRES = {
    "name": "warehouse",
    "kind": "postgres",
    "host": "db.example.org",
    "database": "orders",
    "user": "report",
    "sslmode": "require",
    "password": TOKEN,
}


@pytest.fixture
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


def path(world: World, rest: str = "", project: str = "") -> str:
    return f"/projects/{project or world.project}/connections{rest}"


def create(world: World, who: str = "alice", **fields: str) -> str:
    """Its id."""
    made = world.signed_in(who).post(path(world), {**HTTP, **fields})
    assert made.status_code == 303, made.text
    return str(made.location.rpartition("/")[2])


def stored(world: World, connection_id: str) -> tuple[dict[str, object], dict[str, object]]:
    """(config, credentials)"""
    with world.app.app_context():
        connection = db.session.get_one(Connection, connection_id)
        return connection.config, vault.unseal(connection.sealed)


def use(world: World, name: str = "talk", connection: str = "chat") -> None:
    secret, _ = world.key(f"For {name}", role="admin")
    step = {**WORKFLOW["steps"][0], "connection": connection}
    body = {**WORKFLOW, "name": name, "steps": [step]}
    assert world.call("/v1/workflows", secret, "POST", json=body).status_code == 201


@both
def test_an_http_connection_is_stored(world: World) -> None:
    made = create(world)
    config, credentials = stored(world, made)
    assert config == {
        "base_url": "https://api.example.org/v2",
        "headers": {"X-Team": "ops", "Accept": "application/json"},
    }
    assert credentials == {"auth": "bearer", "token": TOKEN}
    alice = world.signed_in("alice")
    page = alice.get(path(world)).text
    assert "https://api.example.org/v2" in page
    assert "Not checked" in page
    assert "0 workflows" in page
    assert "X-Team: ops" in alice.get(path(world, f"/{made}")).text


@both
def test_a_postgres_connection_is_stored(world: World) -> None:
    made = create(world, **POSTGRES)
    config, credentials = stored(world, made)
    assert config == {
        "host": "db.example.org",
        "port": 5432,
        "database": "orders",
        "user": "report",
        "sslmode": "require",
    }
    assert credentials == {"password": TOKEN}
    assert "report@db.example.org:5432/orders" in world.signed_in("bob").get(path(world)).text


@pytest.mark.parametrize(
    ("fields", "credentials"),
    [
        ({"auth": "none"}, {"auth": "none"}),
        (
            {"auth": "basic", "username": "ada", "basic_password": "p"},
            {"auth": "basic", "username": "ada", "password": "p"},
        ),
        (
            {"auth": "header", "header": "X-Api-Key", "value": "v"},
            {"auth": "header", "name": "X-Api-Key", "value": "v"},
        ),
    ],
)
def test_each_kind_of_credentials(
    world: World, fields: dict[str, str], credentials: dict[str, str]
) -> None:
    assert stored(world, create(world, **fields))[1] == credentials


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, ["Give the connection a name."]),
        ({"kind": "ftp"}, ["Give one of http, postgres."]),
        ({"name": "", "base_url": "", "token": ""}, [
            "Give the connection a name.", "Give the address, such as", "Give the token."]),
        ({"base_url": "ftp://x"}, ["Give an address such as https://"]),
        ({"base_url": "https://ada:secret@example.org"}, ["Leave user and password out"]),
        ({"headers": "X-Team ops"}, ["Line 1 has no colon"]),
        ({"headers": "X-Team: a\nx-team: b"}, ["Line 2: x-team is there twice."]),
        ({"headers": ": a"}, ["That is no header&#39;s name"]),
        ({"headers": "Cookie: a"}, ["Cookie can&#39;t be set here."]),
        ({"auth": "magic"}, ["Give one of none, bearer, basic, header."]),
        ({"auth": "keep"}, ["Give one of none, bearer, basic, header."]),
        ({"auth": "basic", "username": "a:b"}, ["A user name has no colon", "Give the password."]),
        ({"auth": "header", "header": "Host", "value": "x"}, ["Host can&#39;t be set."]),
        ({**POSTGRES, "host": "/var/run"}, ["Give one name or address, no socket"]),
        ({**POSTGRES, "host": "", "database": "", "user": "", "password": "", "port": "x",
          "sslmode": "none"}, [
            "Give the name or address of the server.", "Give the name of the database.",
            "Give the name of the user.", "Give the password.", "Give a whole number from 1",
            "Give one of disable"]),
    ],
)  # fmt: skip
def test_all_that_is_wrong_is_told_and_no_secret_comes_back(
    world: World, fields: dict[str, str], words: list[str]
) -> None:
    alice = world.signed_in("alice")
    for htmx in (False, True):
        page = alice.post(path(world), {**HTTP, **fields}, htmx=htmx)
        assert page.status_code == 422
        for each in words:
            assert each in page.text
        assert TOKEN not in page.text
        assert ("<html" in page.text) is not htmx
    assert world.count(Connection) == 0


def test_a_name_that_is_taken(world: World) -> None:
    create(world)
    page = world.signed_in("alice").post(path(world), HTTP)
    assert page.status_code == 422
    assert "There is already a connection named chat in this project." in page.text
    other = world.signed_in("alice").post(path(world), {**HTTP, "name": "other"})
    edited = world.signed_in("alice").post(f"{other.location}/edit", {**HTTP, "auth": "keep"})
    assert edited.status_code == 422
    assert 'id="name" name="name"' in edited.text
    assert "There is already a connection named chat" in edited.text


@both
def test_blank_credentials_stay_and_a_new_address_needs_them_again(world: World) -> None:
    made, alice = create(world), world.signed_in("alice")
    edit = path(world, f"/{made}/edit")
    page = alice.get(edit).text
    assert re.search(r'value="keep" checked', page)
    assert TOKEN not in page
    kept = {**HTTP, "name": "talk", "headers": "", "auth": "keep", "token": ""}
    assert alice.post(edit, kept).status_code == 303
    assert stored(world, made)[1] == {"auth": "bearer", "token": TOKEN}
    moved = alice.post(edit, {**kept, "base_url": "https://evil.example"})
    assert moved.status_code == 422
    assert "Give the credentials again" in moved.text
    assert stored(world, made)[0]["base_url"] == "https://api.example.org/v2"
    given = {**kept, "base_url": "https://new.example", "auth": "bearer", "token": "other"}
    assert alice.post(edit, given).status_code == 303
    assert stored(world, made)[1] == {"auth": "bearer", "token": "other"}


@pytest.mark.parametrize("fields", [{"host": "evil.example"}, {"port": "6432"},
                                    {"sslmode": "disable"}, {"kind": "http"}])  # fmt: skip
def test_a_database_that_moves_needs_its_password_again(
    world: World, fields: dict[str, str]
) -> None:
    made, alice = create(world, **POSTGRES), world.signed_in("alice")
    edit = path(world, f"/{made}/edit")
    assert "Leave blank to keep the stored password." in alice.get(edit).text
    kept = {**POSTGRES, "password": "", "base_url": "http://evil.example", "auth": "keep"}
    assert alice.post(edit, {**kept, "user": "reader"}).status_code == 303
    page = alice.post(edit, {**kept, **fields})
    assert page.status_code == 422
    assert "Give the credentials again" in page.text
    assert stored(world, made)[1] == {"password": TOKEN}


def test_a_check_says_what_it_found(world: World, target: Target) -> None:
    made, alice = create(world, base_url=target.url), world.signed_in("alice")
    done = alice.post(path(world, f"/{made}/check"))
    assert done.status_code == 303
    assert target.calls[0].headers["authorization"] == f"Bearer {TOKEN}"
    page = alice.get(done.location).text
    assert "chat: It answers (HTTP 200)." in page
    assert '<span class="status active">OK</span>' in page
    moved = {**HTTP, "base_url": "http://127.0.0.1:1"}
    assert alice.post(path(world, f"/{made}/edit"), moved).status_code == 303
    assert "Not checked" in alice.get(path(world)).text
    part = alice.post(path(world, f"/{made}/check"), htmx=True)
    assert part.status_code == 200
    assert part.text.lstrip().startswith(f'<div class="check" id="check-{made}">')
    assert "Failed" in part.text
    assert "can&#39;t be reached" in part.text
    assert "chat: It can't be reached" in part.headers["HX-Trigger"]
    assert TOKEN not in part.text + alice.get(path(world, f"/{made}")).text


def test_it_is_not_deleted_while_a_workflow_uses_it(world: World) -> None:
    made, alice = create(world), world.signed_in("alice")
    use(world)
    use(world, "shout")
    assert "2 workflows" in alice.get(path(world)).text
    delete = path(world, f"/{made}/delete")
    for page in (alice.get(delete), alice.post(delete)):
        assert page.status_code == (200 if page.request.method == "GET" else 409)
        assert "2 workflows use it:" in page.text
        assert ">shout</a>, <a" in page.text
        assert "Delete connection" not in page.text
    assert world.count(Connection) == 1
    edit = path(world, f"/{made}/edit")
    assert "shout and 1 more use it by this name" in alice.get(edit).text
    renamed = alice.post(edit, {**HTTP, "name": "other"})
    assert renamed.status_code == 422
    assert "chat is used by shout, talk, so it can&#39;t be given another name" in renamed.text
    assert alice.post(edit, {**HTTP, "headers": ""}).status_code == 303


def test_one_that_nobody_uses_is_deleted(world: World) -> None:
    made, alice = create(world), world.signed_in("alice")
    delete = path(world, f"/{made}/delete")
    assert "No workflow uses it." in alice.get(delete).text
    assert alice.post(delete).location == path(world)
    assert "chat was deleted." in alice.get(path(world)).text
    assert world.count(Connection) == 0
    assert alice.post(delete).status_code == 404


def test_a_member_reads_and_is_told_who_can_help(world: World) -> None:
    made, bob = create(world), world.signed_in("bob")
    world.set_role("charlie", "admin")
    for page in (bob.get(path(world)).text, bob.get(path(world, f"/{made}")).text):
        assert "ask Charlie." in page
        assert "Only an admin of" in page
        assert "<form" not in page.partition("<main")[2]
        assert "/edit" not in page


def test_another_projects_address_reaches_nothing(world: World) -> None:
    made = create(world)
    other = world.add_project("Other")
    alice = world.signed_in("alice")
    for rest in ("", "/edit", "/delete"):
        assert alice.get(path(world, f"/{made}{rest}", other)).status_code == 404
    for rest in ("/edit", "/delete", "/check"):
        assert alice.post(path(world, f"/{made}{rest}", other), HTTP).status_code == 404


def test_a_list_of_many_has_pages(world: World) -> None:
    secret, _ = world.key("Maker", role="admin")
    body = {"kind": "http", "config": {"base_url": "http://x.example"},
            "credentials": {"auth": "none"}}  # fmt: skip
    for number in range(51):
        made = world.call("/v1/connections", secret, "POST", json={"name": f"n{number}", **body})
        assert made.status_code == 201
    alice = world.signed_in("alice")
    page = alice.get(path(world)).text
    assert ">n50</a>" in page
    assert ">n0</a>" not in page
    older = re.search(r'href="([^"]+after=[^"]+)">Older', page)
    assert older
    page = alice.get(older.group(1)).text
    assert ">n0</a>" in page
    assert "Newest" in page
    assert alice.get(path(world) + "?after=%00").status_code == 200


def test_names_and_addresses_are_never_markup(world: World) -> None:
    evil = "<img src=x>"
    made = create(world, name=evil, headers=f"X-A: {evil}")
    alice = world.signed_in("alice")
    for rest in ("", f"/{made}", f"/{made}/edit", f"/{made}/delete"):
        page = alice.get(path(world, rest)).text
        assert evil not in page
        assert "&lt;img src=x&gt;" in page


def test_the_navigation_marks_the_place_and_switches_on_the_same_page(world: World) -> None:
    other = world.add_project("Other")
    page = world.signed_in("alice").get(path(world)).text
    assert f'href="{path(world)}" aria-current="true">Connections</a>' in page
    assert f'href="{path(world, project=other)}">Other</a>' in page


def test_htmx_is_sent_on_to_the_whole_page(world: World) -> None:
    done = world.signed_in("alice").post(path(world), HTTP, htmx=True)
    assert done.status_code == 204
    assert done.headers["HX-Redirect"].startswith(path(world, "/con_"))
