"""`compass run` and `compass runs`, against a real server with its worker."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from compass import Compass
from tests.cli.conftest import COMMAND, Cli
from tests.cli.terminal import Terminal
from tests.sdk.conftest import make_key
from tests.servers import COMMAND as SERVER
from tests.servers import clean_environment, free_port, serving, wait_until
from tests.target import Target, a_target

SCHEMA = {
    "type": "object",
    "required": ["day"],
    "properties": {"day": {"type": "string", "format": "date"}, "count": {"type": "integer"}},
}


def step(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "connection": "target", "method": "GET", "path": path}


@dataclass
class Place:
    """A server with workflows: `report` succeeds, `broken` fails, `slow` waits for the target."""

    url: str
    home: Path
    target: Target
    admin: str
    member: str


def furnish(compass: Compass, target: Target) -> None:
    config = {"base_url": target.url}
    compass.connections.create("target", "http", config, {"auth": "none"})
    output = {"given": "{{ input }}", "status": "{{ steps.ask.status }}"}
    compass.workflows.create("report", [step("ask", "/ok")], input_schema=SCHEMA, output=output)
    failing = {**step("fail", "/x"), "query": {"status": "404"}}
    compass.workflows.create("broken", [step("ask", "/ok"), failing])
    waiting = {**step("wait", "/x"), "query": {"slow": "60"}, "timeout": 90}
    compass.workflows.create("slow", [waiting, step("after", "/ok")], output="done")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("place") / "home"
    with a_target() as target, serving(home) as server:
        admin = make_key(home, "Admin", "admin")
        with Compass(admin, server.url) as compass:
            furnish(compass, target)
        yield Place(server.url, home, target, admin, make_key(home, "CI", "member"))


@pytest.fixture
def here(cli: Cli, place: Place, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command, with a member's key."""
    monkeypatch.setenv("COMPASS_API_KEY", place.member)
    monkeypatch.setenv("COMPASS_BASE_URL", place.url)
    return cli


def run_id_in(text: str) -> str:
    found = re.search(r"run_[0-9a-v]{23}", text)
    assert found, text
    return found.group()


def test_it_waits_and_prints_the_output_alone(here: Cli) -> None:
    done = here("run", "report", "--input", "day=2026-11-01", "--input", "count:=3")
    assert done.code == 0, done.err
    assert done.json == {"given": {"day": "2026-11-01", "count": 3}, "status": 200}
    assert re.fullmatch(r"✓ report succeeded \(run_\w+\)\n", done.err)


def test_the_real_command_does_the_same(here: Cli) -> None:
    done = here.process("run", "report", "--input", "day=2026-11-01")
    assert (done.code, done.json["status"]) == (0, 200)


def test_a_file_gets_every_character_and_a_terminal_none_that_it_would_obey(
    here: Cli, place: Place, tmp_path: Path
) -> None:
    odd = "a\r\nb\tc\x85d\u200ee\u202ef\x1b[2Jg"
    with Compass(place.admin, place.url) as compass:
        for name, output in (("odd-text", odd), ("odd-json", {"is": odd})):
            compass.workflows.create(name, [step("ask", "/ok")], output=output)
    text = subprocess.run([COMMAND, "run", "odd-text"], capture_output=True, check=True)
    assert text.stdout == f"{odd}\n".encode()
    file = subprocess.run([COMMAND, "run", "odd-json"], capture_output=True, check=True)
    assert json.loads(file.stdout) == {"is": odd}
    for name in ("odd-text", "odd-json"):
        with Terminal("run", name) as terminal:
            assert terminal.ends() == 0
        for char in "\x85\u200e\u202e":
            assert char not in terminal.shown
        assert "\x1b[2J" not in terminal.shown
    assert "d\\u200ee\\u202ef\\u001b[2Jg" in terminal.shown
    # And back: what `get` writes is what `apply` has already.
    got = subprocess.run([COMMAND, "workflows", "get", "odd-json"], capture_output=True, check=True)
    (tmp_path / "odd.json").write_bytes(got.stdout)
    applied = here("workflows", "apply", str(tmp_path / "odd.json"), "--api-key", place.admin)
    assert "is as in the file already: version 1." in applied.out, applied.err


def test_text_stays_text_and_json_is_told_by_a_colon(here: Cli) -> None:
    number = here("run", "report", "--input", "day=2026-11-01", "--input", "count=3")
    assert number.code == 8
    assert "input/count: " in number.err
    for pair in ("count:=3x", "count:=NaN", "count:=", "count", "=3", ":=3"):
        refused = here("run", "report", "--input", pair)
        assert (refused.code, "name=text or name:=json" in refused.err or "takes JSON" in
                refused.err) == (2, True), refused.err  # fmt: skip


def test_input_from_a_file_and_from_standard_input(here: Cli, tmp_path: Path) -> None:
    given = '\ufeff{"day": "2026-11-01", "count": 1}'
    (tmp_path / "input.json").write_text(given)
    for source in (str(tmp_path / "input.json"), "-"):
        done = here(
            "run", "report", "--input-file", source, "--input", "count:=2", input=given.encode()
        )
        assert done.json["given"] == {"day": "2026-11-01", "count": 2}, done.err
    for text in ("[]", "{", '{"a": NaN}', "\xff", ""):
        (tmp_path / "input.json").write_bytes(text.encode("latin-1"))
        assert here("run", "report", "--input-file", str(tmp_path / "input.json")).code == 2
    assert here("run", "report", "--input-file", str(tmp_path / "missing")).code == 2


def test_a_failed_run_says_where_and_why(here: Cli) -> None:
    failed = here("run", "broken")
    assert (failed.code, failed.out) == (1, "")
    assert "✗ broken failed at step fail: " in failed.err
    shown = here("runs", "get", run_id_in(failed.err))
    assert shown.code == 0
    assert "at step fail: " in shown.out


def test_follow_prints_what_happens(here: Cli) -> None:
    done = here("run", "report", "--follow", "--input", "day=2026-11-01")
    lines = done.out.splitlines()
    assert [" ".join(line.split()[1:]) for line in lines[:5]] == [
        "queued", "started", "step started ask", "step succeeded ask", "succeeded",
    ]  # fmt: skip
    assert json.loads("\n".join(lines[5:]))["status"] == 200


def test_json_is_the_run_and_with_follow_a_line_for_each(here: Cli) -> None:
    arguments = ("run", "report", "--json", "--input", "day=2026-11-01")
    done = here(*arguments).json
    assert (done["status"], done["workflow"]["name"]) == ("succeeded", "report")
    lines = [json.loads(line) for line in here(*arguments, "--follow").out.splitlines()]
    assert [line["event"]["seq"] for line in lines[:-1]] == [1, 2, 3, 4, 5]
    assert lines[-1]["run"]["status"] == "succeeded"
    assert here("run", "broken", "--json").json["error"]["step"] == "fail"


def test_no_wait_prints_the_id_alone(here: Cli) -> None:
    started = here("run", "report", "--no-wait", "--input", "day=2026-11-01")
    run_id = started.out.strip()
    assert (started.code, started.err) == (0, f"See it: compass runs get {run_id}\n")
    followed = here("runs", "events", run_id, "--follow")
    assert followed.out.splitlines()[-1].endswith("succeeded")
    assert here("runs", "get", run_id, "--json").json["status"] == "succeeded"
    assert here("run", "report", "--no-wait", "--follow").code == 2


def test_runs_are_listed_filtered_and_cancelled(here: Cli) -> None:
    run_id = here("run", "slow", "--no-wait").out.strip()
    wait_until(lambda: "step_started" in here("runs", "events", run_id, "--json").out)
    head, first, *_ = here("runs", "list").out.splitlines()
    assert head.split("\t")[:3] == ["id", "workflow", "status"]
    assert first.split("\t")[:4] == [run_id, "slow", "running", "CI"]
    assert len(here("runs", "list", "--json", "--limit", "1").json) == 1
    found = here("runs", "list", "--json", "--workflow", "slow", "--status", "running").json
    assert [run["id"] for run in found] == [run_id]
    assert here("runs", "list", "--status", "failed", "--json", "--workflow", "slow").json == []
    cancelled = here("runs", "cancel", run_id)
    assert cancelled.code == 0
    assert "ends before its next step" in cancelled.out


def test_a_run_that_was_cancelled_ends_the_waiting_with_a_one(here: Cli, place: Place) -> None:
    with subprocess.Popen([COMMAND, "run", "slow", "--follow"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while b"step started" not in process.stdout.readline():
            pass
        run_id = here("runs", "list", "--json", "--limit", "1").json[0]["id"]
        here("runs", "cancel", run_id)
        place.target.released.set()
        assert process.stdout.read().endswith(b"cancelled\n")
        assert process.wait() == 1
    place.target.released.clear()
    again = here("runs", "cancel", run_id)
    assert (again.code, run_id in again.err or "cancelled" in again.err) == (8, True)


def test_control_c_leaves_the_run_going_and_says_how_to_see_it(here: Cli, place: Place) -> None:
    for follow in ((), ("--follow",)):
        with Terminal("run", "slow", *follow) as terminal:
            terminal.expects("step started" if follow else "slow: wait")
            terminal.types("\x03")
            assert terminal.ends() == 130
        said = " ".join(terminal.shown.split())
        run_id = run_id_in(said[said.index("See it") :])
        assert f"The run goes on. See it: compass runs get {run_id}" in said
        assert f"Stop it: compass runs cancel {run_id}" in said
        assert "Traceback" not in said
        assert here("runs", "get", run_id, "--json").json["status"] == "running"
        here("runs", "cancel", run_id)
    place.target.released.set()
    wait_until(lambda: here("runs", "list", "--status", "running", "--json").json == [])
    place.target.released.clear()


def test_a_key_that_is_revoked_meanwhile_ends_the_waiting_not_the_run(
    here: Cli, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Compass(place.admin, place.url) as admin:
        secret, key_id = _another_key(place, "Short-lived")
        monkeypatch.setenv("COMPASS_API_KEY", secret)
        with subprocess.Popen(
            [COMMAND, "run", "slow", "--follow"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            while "step started" not in process.stdout.readline():
                pass
            admin.keys.revoke(key_id)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 4
        assert "revoked" in said
        assert "The run does not depend on it." in said
        run_id = run_id_in(said)
        place.target.released.set()
        assert admin.runs.wait(run_id).status == "succeeded"
        place.target.released.clear()


def _another_key(place: Place, name: str) -> tuple[str, str]:
    secret = make_key(place.home, name, "member")
    with Compass(secret, place.url) as compass:
        return secret, compass.me().key.id


def test_following_outlives_a_restart_of_the_server(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, port = tmp_path / "served", free_port()
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("COMPASS_BASE_URL", url)

    def start() -> "subprocess.Popen[bytes]":
        with (tmp_path / "server.log").open("a") as log:
            server = subprocess.Popen(
                [*SERVER, "serve", "--port", str(port), "--workers", "1"],
                stdout=log, stderr=log, env=clean_environment(COMPASS_HOME=str(home)),
            )  # fmt: skip
        wait_until(lambda: _answers(url))
        return server

    with a_target() as target:
        server = start()
        secret = make_key(home, "Admin", "admin")
        monkeypatch.setenv("COMPASS_API_KEY", secret)
        with Compass(secret, url) as compass:
            furnish(compass, target)
        with subprocess.Popen(
            [COMMAND, "run", "slow", "--follow"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            while "step started" not in process.stdout.readline():
                pass
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
            server = start()
            target.released.set()
            rest = process.stdout.read()
            assert process.wait() == 0
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
    assert rest.endswith("done\n")
    assert "succeeded" in rest


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
