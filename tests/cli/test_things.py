"""`compass connections` and `compass workflows`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.terminal import Terminal
from tests.target import a_target
from tests.world import World

WORKFLOW: dict[str, Any] = {
    "name": "nightly-report",
    "input_schema": {"type": "object"},
    "steps": [{"name": "ask", "connection": "chat", "method": "GET", "path": "/x"}],
    "output": {"status": "{{ steps.ask.status }}"},
}


@pytest.fixture
def chat(cli: Cli, admin: str, tmp_path: Path) -> str:
    """A connection; its id."""
    secrets = tmp_path / "credentials.json"
    secrets.write_text('{"auth": "bearer", "token": "hunter2"}')
    made = cli("connections", "create", "chat", "--kind", "http", "--json", "--config",
               "base_url=https://chat.example.org", "--credentials-file", str(secrets))  # fmt: skip
    assert made.code == 0, made.err
    return str(made.json["id"])


def test_a_connection_from_its_creation_to_its_end(
    cli: Cli, world: World, admin: str, chat: str
) -> None:
    shown = cli("connections", "get", "chat")
    assert "base_url  https://chat.example.org" in shown.out
    assert cli("connections", "get", chat).out == shown.out
    listed = cli("connections", "list").out.splitlines()[1].split("\t")
    assert listed[:5] == [chat, "chat", "http", "https://chat.example.org", "–"]
    renamed = cli("connections", "update", "chat", "--name", "talk", "--config",
                  'headers:={"X-Team": "reports"}')  # fmt: skip
    assert renamed.out == f"Changed talk ({chat}).\n"
    found = cli("connections", "get", chat, "--json").json
    assert found["config"] == {
        "base_url": "https://chat.example.org", "headers": {"X-Team": "reports"},
    }  # fmt: skip
    assert found == world.call(f"/v1/connections/{chat}", admin).json
    assert cli("connections", "delete", "talk").out == "Deleted talk.\n"
    assert cli("connections", "list", "--json").json == []


def test_credentials_never_go_to_another_place(cli: Cli, chat: str) -> None:
    moved = ("connections", "update", "chat", "--config", "base_url=https://evil.example.org")
    refused = cli(*moved)
    assert refused.code == 8
    assert "credentials: The connection would lead somewhere else" in refused.err
    given = cli(*moved, "--credentials-file", "-", input='{"auth": "none"}')
    assert given.code == 0


def test_trying_a_connection_that_does_not_work_is_a_one(cli: Cli, chat: str) -> None:
    with a_target() as target:
        changed = cli("connections", "update", chat, "--config", f"base_url={target.url}",
                      "--credentials-file", "-", input='{"auth": "none"}')  # fmt: skip
        assert changed.code == 0, changed.err
        works = cli.process("connections", "check", "chat")
        assert (works.code, works.out[0]) == (0, "✓")
    fails = cli("connections", "check", "chat")
    assert (fails.code, fails.out[0]) == (1, "✗")
    assert cli("connections", "check", "chat", "--json").json["check"]["ok"] is False
    assert cli("connections", "list").out.splitlines()[1].split("\t")[4] == "failed"


def test_credentials_are_asked_for_unseen(cli: Cli, world: World, admin: str) -> None:
    with Terminal("connections", "create", "db", "--kind", "postgres", "--config",
                  "host=db.example.org", "--config", "database=orders", "--config",
                  "user=reports") as terminal:  # fmt: skip
        terminal.expects("Password (not shown): ")
        terminal.types("hunter2\n")
        assert terminal.ends() == 0
    assert "hunter2" not in terminal.shown
    assert "Created db" in terminal.shown
    with Terminal("connections", "update", "db", "--ask-credentials", "--kind", "http", "--config",
                  "base_url=https://chat.example.org") as terminal:  # fmt: skip
        terminal.expects("How does it sign in (none, bearer, basic, header): ")
        terminal.types("header\n")
        terminal.expects("Name of the header: ")
        terminal.types("X-Token\n")
        terminal.expects("Its value (not shown): ")
        terminal.types("hunter2\n")
        terminal.ends()
    assert "hunter2" not in terminal.shown


def test_where_nobody_can_be_asked_it_says_what_to_give(cli: Cli, admin: str) -> None:
    refused = cli("connections", "create", "x", "--kind", "http", "--config", "base_url=https://x")
    assert (refused.code, "Give --credentials-file" in refused.err) == (2, True)
    assert cli("connections", "update", "x", "--ask-credentials").code == 7
    assert cli("connections", "create", "x").code == 2


def test_a_broken_file_of_credentials_is_not_quoted(cli: Cli, admin: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"auth": "bearer", "token": "hunter2}')
    refused = cli("connections", "create", "x", "--kind", "http", "--credentials-file",
                  str(tmp_path / "c.json"))  # fmt: skip
    assert (refused.code, "in line 1, column" in refused.err) == (2, True)
    assert "hunter2" not in refused.err


def test_applying_a_workflow_creates_replaces_and_leaves_it(
    cli: Cli, world: World, chat: str, tmp_path: Path
) -> None:
    file = tmp_path / "nightly-report.json"
    file.write_text(json.dumps(WORKFLOW))
    assert cli("workflows", "apply", str(file)).out.startswith("Created nightly-report (wfl_")
    assert "is as in the file already: version 1" in cli("workflows", "apply", str(file)).out
    file.write_text(json.dumps(WORKFLOW | {"output": None}))
    assert cli("workflows", "apply", str(file)).out == "Replaced nightly-report: version 2.\n"
    assert cli("workflows", "apply", str(file), "--json").json["version"] == 2
    listed = cli("workflows", "list").out.splitlines()[1].split("\t")
    assert listed[1:4] == ["nightly-report", "2", "ask"]


def test_what_get_prints_is_what_apply_takes(cli: Cli, chat: str, world: World, admin: str) -> None:
    cli("workflows", "apply", "-", input=json.dumps(WORKFLOW))
    shown = cli("workflows", "get", "nightly-report")
    assert shown.json == WORKFLOW
    assert "version 1" in cli("workflows", "apply", "-", input=shown.out).out
    whole = cli("workflows", "get", "nightly-report", "--json")
    assert whole.json == world.call(f"/v1/workflows/{whole.json['id']}", admin).json
    assert "version 1" in cli("workflows", "apply", "-", input=whole.out).out


def test_a_document_that_is_none_is_said_before_asking(cli: Cli, admin: str) -> None:
    for text, code in (
        ("[]", 2), ("{", 2), ('"x"', 2), ("", 2), ("{}", 8), ('{"name": 3, "steps": []}', 8),
        ('{"name": "x", "steps": {}}', 8), ('{"name": "x", "steps": [], "color": 1}', 8),
    ):  # fmt: skip
        assert cli("workflows", "apply", "-", input=text).code == code, text


def test_deleting_a_workflow(cli: Cli, chat: str) -> None:
    cli("workflows", "apply", "-", input=json.dumps(WORKFLOW))
    used = cli("connections", "delete", "chat")
    assert (used.code, "is used by nightly-report" in used.err) == (8, True)
    assert cli("workflows", "delete", "nightly-report", "--yes").out == "Deleted nightly-report.\n"
    assert cli("workflows", "delete", "nightly-report").code == 7


def test_members_change_nothing(cli: Cli, world: World, chat: str, monkeypatch: pytest.MonkeyPatch
                                ) -> None:  # fmt: skip
    monkeypatch.setenv("COMPASS_API_KEY", world.key("Member")[0])
    assert cli("connections", "list").code == 0
    for arguments in (
        ("connections", "update", "chat", "--name", "x"),
        ("connections", "delete", "chat"),
        ("connections", "check", "chat"),
    ):
        assert cli(*arguments).code == 5
    assert cli("workflows", "apply", "-", input=json.dumps(WORKFLOW)).code == 5
