"""The operator's commands: by hand what the browser does, by the same rules and events."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from compass.server import command_line, commands, create_app
from compass.server.config import Settings
from compass.server.core.models import AuditEvent, Key, User
from tests.conftest import dispose
from tests.world import PASSWORD, World


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> "Run":
    return Run(world, monkeypatch)


class Run:
    """One command, in this process but with an app of its own from the environment."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch):
        self.world = world
        self.apps: list[Flask] = []

        def remembered(settings: Settings) -> Flask:
            self.apps.append(create_app(settings))
            return self.apps[-1]

        monkeypatch.setattr(command_line, "create_app", remembered)
        monkeypatch.setenv("COMPASS_HOME", str(world.app.config["COMPASS"].home))

    def __call__(self, *arguments: str, input: str = "", fails: bool = False) -> Result:
        result = CliRunner().invoke(commands.cli, arguments, input=input)
        for app in self.apps:
            dispose(app)
        assert (result.exit_code != 0) is fails, result.output
        return result


def test_a_headless_installation_from_user_to_key(run: Run) -> None:
    user = run("users", "create", "Dora@Example.org", "--name", "Dora", "--admin",
               "--password-stdin", input=f"{PASSWORD}\n").output.strip()  # fmt: skip
    assert user.startswith("usr_")
    run("projects", "create", "Reports")
    run("members", "set", "Reports", "bob@example.org", "--role", "admin")
    assert run("members", "list", "Reports").output.splitlines()[1] == "bob@example.org\tBob\tadmin"
    secret = run("keys", "create", "--project", "Reports", "--name", "Nightly").output
    assert secret.count("\n") == 1
    me = run.world.call("/v1/me", secret.strip()).json
    assert (me["project"]["name"], me["role"], me["key"]["created_by"]) == (
        "Reports", "member", None,
    )  # fmt: skip
    assert run.world.browser().sign_in("dora").status_code == 303
    run("keys", "revoke", me["key"]["id"])
    refused = run.world.call("/v1/me", secret.strip())
    assert refused.json["code"] == "revoked_token"


def test_a_personal_token_for_somebody(run: Run) -> None:
    owner = ("--type", "personal", "--owner", "bob@example.org", "--expires-in-days", "30")
    made = run("keys", "create", "--project", "Default", "--name", "Bob's", *owner)
    secret = made.output.strip()
    me = run.world.call("/v1/me", secret).json
    assert (me["user"]["email"], me["role"]) == ("bob@example.org", "member")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["users", "create", "bob@example.org", "--name", "B"], "already an account for bob@"),
        (["users", "create", "nonsense", "--name", "B"], "Enter an email address"),
        (["users", "create", "e@x", "--name", " "], "Give this person a name."),
        (["users", "disable", "nobody@x"], "There is no account for nobody@x."),
        (["users", "demote", "alice@example.org"], "the last active administrator"),
        (["users", "disable", "alice@example.org"], "the last active administrator"),
        (["projects", "create", "Default"], "already a project named Default"),
        (["projects", "create", ""], "Give the project a name."),
        (["members", "set", "Nope", "bob@example.org", "--role", "member"], "no project named"),
        (["members", "remove", "Default", "charlie@example.org"], "is not a member of Default"),
        (["keys", "create", "--project", "Nope", "--name", "x"], "There is no project named Nope"),
        (["keys", "create", "--project", "Default", "--name", " "], "Give the key a name."),
        (["keys", "create", "--project", "Default", "--name", "x", "--type", "personal"],
         "--owner goes with"),
        (["keys", "create", "--project", "Default", "--name", "x", "--type", "personal",
          "--owner", "bob@example.org", "--role", "admin"], "Bob's role in Default is member"),
        (["keys", "create", "--project", "Default", "--name", "x", "--type", "personal",
          "--owner", "charlie@example.org"], "Choose an owner who is in Default."),
        (["keys", "create", "--project", "Default", "--name", "x", "--expires-in-days", "0"],
         "Enter from 1 to 3650 days."),
        (["keys", "revoke", "key_unknown"], "There is no such key"),
        (["users", "reset-link", "nobody@x"], "There is no account for nobody@x."),
        (["users", "invite", "bob@example.org"], "already an account for bob@example.org"),
        (["users", "invite", "d@x", "--project", "Nope"], "There is no project named Nope."),
        (["users", "invite", "d@x", "--role", "admin"], "it goes with --project"),
        (["users", "uninvite", "inv_unknown"], "There is no such invitation."),
        (["users", "leaving", "nobody@x"], "There is no account for nobody@x."),
        (["projects", "change", "Default", "--name", " "], "Give the project a name."),
        (["projects", "delete", "Default", "--confirm", "default"], "Type Default to delete it."),
    ],
)  # fmt: skip
def test_the_same_rules_refuse(run: Run, arguments: list[str], words: str) -> None:
    before = [run.world.count(model) for model in (User, Key, AuditEvent)]
    if arguments[:2] == ["users", "create"]:
        arguments = [*arguments, "--password-stdin"]
    result = run(*arguments, input=f"{PASSWORD}\n", fails=True)
    assert words in result.output
    assert "Traceback" not in result.output
    assert [run.world.count(model) for model in (User, Key, AuditEvent)] == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["members", "list", "\udcff"],
        ["keys", "revoke", "\udcff"],
        ["users", "disable", "\udcff@x"],
        ["projects", "create", "\udcff"],
        ["keys", "create", "--project", "\udcff", "--name", "x"],
    ],
)
def test_bytes_that_are_no_text_are_refused(run: Run, arguments: list[str]) -> None:
    assert "Traceback" not in run(*arguments, fails=True).output


def test_names_are_found_however_they_were_composed(run: Run) -> None:
    run("projects", "create", "Cafe\u0301")
    run("members", "set", "Caf\u00e9", "bob@example.org", "--role", "member")
    assert "bob@example.org" in run("members", "list", " Cafe\u0301 ").output


def test_a_poor_password_is_refused(run: Run) -> None:
    result = run("users", "password", "bob@example.org", "--password-stdin", input="x", fails=True)
    assert "Use at least 8 characters" in result.output


def test_each_change_leaves_its_event(run: Run) -> None:
    for arguments, action in (
        (["users", "promote", "bob@example.org"], "user.promoted"),
        (["users", "demote", "bob@example.org"], "user.demoted"),
        (["users", "disable", "bob@example.org"], "user.disabled"),
        (["users", "enable", "bob@example.org"], "user.enabled"),
        (["members", "set", "Default", "charlie@example.org", "--role", "admin"], "member.added"),
        (["members", "set", "Default", "charlie@example.org", "--role", "member"],
         "member.role_changed"),
        (["members", "remove", "Default", "charlie@example.org"], "member.removed"),
        (["projects", "create", "New"], "project.created"),
    ):  # fmt: skip
        before = len(run.world.events(action))
        run(*arguments)
        events = run.world.events(action)[before:]
        assert [event.actor_type for event in events] == ["operator"], action
        if action not in {"project.created"}:
            run(*arguments, fails=action == "member.removed")
            assert len(run.world.events(action)) == before + 1, f"{action} was recorded twice"


def test_links_made_by_hand_open_what_the_pages_do(run: Run) -> None:
    made = run("users", "invite", "dora@example.org", "--project", "Default", "--role", "admin")
    link = made.output.strip()
    assert link.startswith("http://127.0.0.1:8000/invitations/")
    assert "dora@example.org\tmember\tDefault (admin)" in run("users", "invitations").output
    browser, form = run.world.browser(), {"name": "Dora", "password": PASSWORD}
    path = link.removeprefix("http://127.0.0.1:8000")
    assert browser.post(path, form).status_code == 303
    assert "dora@" not in run("users", "invitations").output

    reset = run("users", "reset-link", "bob@example.org").output.strip()
    path = reset.removeprefix("http://127.0.0.1:8000")
    assert run.world.browser().post(path, {"password": f"{PASSWORD}3"}).status_code == 303

    made = run("users", "invite", "erin@example.org", "--admin")
    invited = run("users", "invitations").output.splitlines()[1].split("\t")[0]
    run("users", "uninvite", invited)
    path = made.output.strip().removeprefix("http://127.0.0.1:8000")
    assert run.world.browser().get(path).status_code == 410
    assert [e.actor_type for e in run.world.events("user.invited")] == ["operator"] * 2


def test_what_stops_with_somebody(run: Run) -> None:
    secret, token = run.world.key("Laptop", by="bob", type="personal")
    run.world.set_role("bob", "admin")
    _, account = run.world.key("Deploy", by="bob")
    run.world.call("/v1/me", secret)
    for arguments in ([], ["--project", "Default"]):
        lines = run("users", "leaving", "bob@example.org", *arguments).output.splitlines()[1:]
        assert [line.split("\t")[:3] for line in lines] == [
            ["stops", token, "Laptop"], ["seen", account, "Deploy"],
        ]  # fmt: skip
        assert lines[0].endswith("127.0.0.1")


def test_a_project_is_changed_and_deleted(run: Run) -> None:
    secret, _ = run.world.key()
    run("projects", "change", "Default", "--name", "Main", "--description", "All of it")
    assert "Main\t1" in run("projects", "list").output
    run("projects", "delete", "Main", "--confirm", "Main")
    assert run.world.call("/v1/me", secret).status_code == 401
    assert run.world.events("project.deleted")[0].details == {"live_keys": 1}


def test_the_record_is_exported(run: Run) -> None:
    run("projects", "create", "Reports")
    lines = run("audit", "export", "--action", "project.created").output.splitlines()
    assert [json.loads(line)["target"]["name"] for line in lines] == ["Reports"]
    made = run("audit", "export", "--format", "csv", "--project", "Reports").output.splitlines()
    assert (len(made), made[0][:6]) == (2, "id,at,")
    assert run("audit", "export", "--until", "2001-01-01").output == ""
    assert len(run("audit", "export", "--since", "2001-01-01").output.splitlines()) > 3
    assert "no project named" in run("audit", "export", "--project", "X", fails=True).output
    run("audit", "export", "--since", "yesterday", fails=True)


def test_a_new_password_ends_sessions_and_unlocks(run: Run) -> None:
    browser = run.world.browser("bob")
    for _ in range(12):
        run.world.browser().sign_in("bob", "wrong wrong")
    assert run.world.browser().sign_in("bob").status_code == 429
    run("users", "password", "bob@example.org", "--password-stdin", input=f"{PASSWORD}2\r\n")
    assert browser.get("/account").status_code == 302
    assert run.world.browser().sign_in("bob", f"{PASSWORD}2").status_code == 303


def test_lists_are_tables_without_secrets(run: Run) -> None:
    secret, key_id = run.world.key()
    listed = run("keys", "list", "--project", "Default").output
    assert key_id in listed
    assert secret not in listed
    assert "bob@example.org\tBob\tmember\tactive" in run("users", "list").output
    assert "Default" in run("projects", "list").output


def test_help_needs_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPASS_HOME", str(tmp_path / "nowhere"))
    for arguments in (["--help"], ["users", "--help"], ["keys", "create", "--help"]):
        result = CliRunner().invoke(commands.cli, arguments)
        assert (result.exit_code, "Usage:" in result.output) == (0, True)
    assert not (tmp_path / "nowhere").exists()
