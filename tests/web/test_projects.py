"""Projects and their members."""

import pytest

from compass.server.core import users
from compass.server.core.models import (
    AuditEvent,
    Connection,
    Key,
    KeySecret,
    Membership,
    Project,
    Workflow,
    WorkflowConnection,
)
from tests.conftest import both
from tests.test_routes import CONNECTION, WORKFLOW
from tests.world import PATH, World


def general(world: World) -> str:
    return f"/projects/{world.project}/settings/general"


def members(world: World) -> str:
    return f"/projects/{world.project}/settings/members"


def test_a_project_is_created_described_and_renamed(world: World) -> None:
    alice = world.signed_in("alice")
    made = alice.post("/projects", {"name": " Reports ", "description": "One\r\ntwo"})
    assert made.status_code == 303
    assert "Reports" in alice.get("/projects").text
    path = f"/projects/{made.location.split('/')[2]}/settings/general"
    assert "One\ntwo" in alice.get(path).text
    assert alice.post(path, {"name": "Sums", "description": ""}).status_code == 303
    assert "Sums was saved." in alice.get(path).text
    assert world.events("project.renamed")[0].details == {"old_name": "Reports"}
    assert len(world.events("project.described")) == 1


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": ""}, "Give the project a name."),
        ({"name": "Default"}, "There is already a project named Default."),
        ({"name": "x" * 81}, "Use at most 80 characters"),
        ({"name": "a\u202eb"}, "can't be seen (U+202E)"),
        ({"name": "New", "description": "x" * 501}, "Use at most 500 characters"),
        ({"name": "New", "description": "a\x00b"}, "can't be seen (U+0000)"),
    ],
)
def test_a_bad_project_is_refused(world: World, form: dict[str, str], words: str) -> None:
    world.add_project("Other")
    alice = world.signed_in("alice")
    before = world.count(Project)
    page = alice.post("/projects", form)
    assert page.status_code == 422
    assert words.replace("'", "&#39;") in page.text
    assert world.count(Project) == before
    if form["name"] != "Default":
        assert alice.post(general(world), form).status_code == 422
        assert "Default" in alice.get(general(world)).text


def test_a_name_taken_by_another_project(world: World) -> None:
    world.add_project("Other")
    page = world.signed_in("alice").post(general(world), {"name": "Other"})
    assert page.status_code == 422
    assert "There is already a project named Other." in page.text


def test_names_are_never_markup(world: World) -> None:
    project = world.add_project("<img src=x>")
    alice = world.signed_in("alice")
    for path in ("/projects", f"/projects/{project}/settings/general", "/account", PATH):
        page = alice.get(path).text
        assert "<img src=x>" not in page
        assert "&lt;img src=x&gt;" in page


@both
def test_a_deleted_project_takes_its_keys_and_leaves_the_record(world: World) -> None:
    secret, _ = world.key()
    token, _ = world.key(by="bob", type="personal")
    rotated, key_id = world.key("Rotated")
    alice = world.signed_in("alice")
    alice.post(f"{PATH}/{key_id}/rotate", {"overlap_hours": "24"})
    world.key("Other", project="Other") if world.add_project("Other") else None
    path = f"{general(world)}/delete"
    assert "3 live keys stop at once." in alice.get(path).text
    for wrong in ("", "default", "Other"):
        page = alice.post(path, {"confirm": wrong})
        assert page.status_code == 422
    assert world.call("/v1/me", secret).status_code == 200
    events = world.count(AuditEvent)
    assert alice.post(path, {"confirm": " Default "}).status_code == 303
    for each in (secret, token, rotated):
        assert world.call("/v1/me", each).json["code"] == "invalid_token"
    assert (world.count(Key), world.count(KeySecret), world.count(Membership)) == (1, 1, 0)
    assert world.count(AuditEvent) == events + 1
    assert world.events("project.deleted")[0].details == {"live_keys": 3}
    assert alice.get(general(world)).status_code == 404
    assert world.signed_in("bob").get("/").status_code == 302


@pytest.mark.parametrize("name", ["a  b", "a\u00a0b", "Rep\u200dorts"])
def test_a_name_that_can_not_be_typed_as_it_is(world: World, name: str) -> None:
    project = world.add_project(name)
    typed = {"confirm": "Reports" if name.startswith("Rep") else "a b"}
    path = f"/projects/{project}/settings/general/delete"
    assert world.signed_in("alice").post(path, typed).status_code == 303


@both
def test_work_goes_with_its_project_too(world: World) -> None:
    secret, _ = world.key(role="admin")
    world.call("/v1/connections", secret, "POST", json={**CONNECTION, "name": "chat"})
    made = world.call("/v1/workflows", secret, "POST", json=WORKFLOW)
    assert made.status_code == 201
    path = f"{general(world)}/delete"
    gone = world.signed_in("alice").post(path, {"confirm": "Default"})
    assert gone.status_code == 303, gone.text
    left = [world.count(model) for model in (Connection, Workflow, WorkflowConnection)]
    assert left == [0, 0, 0]


def test_the_last_project_may_go_too(world: World) -> None:
    alice = world.signed_in("alice")
    alice.get(general(world))
    alice.post(f"{general(world)}/delete", {"confirm": "Default"})
    for path in ("/", "/projects", "/account", PATH):
        assert alice.get(path, follow_redirects=True).status_code == 200
    assert "Create one" in alice.get(PATH).text


def test_the_switcher_remembers(world: World) -> None:
    other = world.add_project("Other")
    alice = world.signed_in("alice")
    assert alice.get(f"/projects/{other}").status_code == 302
    assert 'aria-label="Project Other: switch"' in alice.get("/account").text
    assert f'<option value="{other}" selected>' in alice.get(f"{PATH}/new").text
    assert 'aria-label="Project Other: switch"' in world.signed_in("alice").get("/account").text
    alice.get(general(world))
    assert 'aria-label="Project Default: switch"' in alice.get("/account").text


def test_a_project_that_one_is_not_in_any_more_is_not_remembered(world: World) -> None:
    bob = world.signed_in("bob")
    world.add_project("Other")
    world.set_role("bob", "member", "Other")
    bob.get(general(world))
    world.set_role("bob", None)
    assert "Project Other: switch" in bob.get("/account").text


def test_a_member_is_added_changed_and_removed(world: World) -> None:
    alice, charlie = world.signed_in("alice"), world.signed_in("charlie")
    assert charlie.get(members(world)).status_code == 404
    form = {"email": " CHARLIE@example.org", "role": "member"}
    assert alice.post(members(world), form).status_code == 303
    assert charlie.get(members(world)).status_code == 200
    assert charlie.get(f"{members(world)}/new").status_code == 403
    path = f"{members(world)}/{world.charlie}"
    assert alice.post(f"{path}/role", {"role": "admin"}).status_code == 303
    assert charlie.get(f"{members(world)}/new").status_code == 200
    assert alice.post(f"{path}/role", {"role": "boss"}).status_code == 422
    assert alice.post(f"{path}/role", {"role": ""}).status_code == 422
    assert charlie.get(f"{members(world)}/new").status_code == 200
    secret, _ = world.key(by="charlie", type="personal")
    assert alice.post(f"{path}/remove").status_code == 303
    assert charlie.get(members(world)).status_code == 404
    assert world.call("/v1/me", secret).json["code"] == "owner_inactive"
    assert [e.action for e in world.events("member.removed")] == ["member.removed"]
    assert alice.post(f"{path}/remove").status_code == 404
    assert alice.post(f"{path}/role", {"role": "admin"}).status_code == 404


def test_everybody_may_leave(world: World) -> None:
    bob = world.signed_in("bob")
    path = f"{members(world)}/{world.bob}/remove"
    assert "Leave Default?" in bob.get(path).text
    left = bob.post(path)
    assert (left.status_code, left.location) == (303, "/projects")
    assert "You left Default." in bob.get("/projects").text
    assert len(world.events("member.left")) == 1


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"email": ""}, "Enter the email address"),
        ({"email": "nobody@example.org"}, "There is no account for nobody@example.org."),
        ({"email": "<b>x</b>@y"}, "There is no account for &lt;b&gt;x&lt;/b&gt;@y."),
        ({"email": "a\x00@example.org"}, "There is no account"),
        ({"email": "bob@example.org"}, "Bob is in Default already."),
        ({"email": "gone@example.org"}, "Gone is disabled."),
        ({"email": "charlie@example.org", "role": "boss"}, "Choose member or admin."),
    ],
)
def test_a_bad_member_is_refused(world: World, form: dict[str, str], words: str) -> None:
    world.add_user("gone")
    world.change("gone", users.disable)
    before = world.count(Membership)
    page = world.signed_in("alice").post(members(world), {"role": "member", **form})
    assert page.status_code == 422
    assert words in page.text
    assert world.count(Membership) == before


def test_another_projects_address_does_not_reach_a_member(world: World) -> None:
    """A foreign id is not found by construction."""
    other = world.add_project("Other")
    world.set_role("charlie", "admin", "Other")
    charlie = world.signed_in("charlie")
    path = f"/projects/{other}/settings/members/{world.bob}"
    assert charlie.post(f"{path}/remove").status_code == 404
    assert charlie.post(f"{path}/role", {"role": "admin"}).status_code == 404
    assert charlie.get(f"{path}/remove").status_code == 404
    assert world.signed_in("bob").get(members(world)).status_code == 200
