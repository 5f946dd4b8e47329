"""What a script can tell apart: each code by a real case, from the real command."""

import json
from typing import Any

import pytest

from compass.cli.failures import ExitCode
from tests.cli.conftest import Cli
from tests.sdk.proxy import DROP, Proxy, answering, problem
from tests.world import World

UNKNOWN = "compass_sa_" + "0" * 40 + "4OSWh2"


def test_0_done(cli: Cli, member: str) -> None:
    assert cli.process("workflows", "list").code == ExitCode.DONE
    assert cli.process("--help").code == ExitCode.DONE
    assert cli.process("--version").code == ExitCode.DONE


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run",),
        ("runs", "list", "--status", "asleep"),
        ("whoami", "--nonsense"),
        ("keys", "rotate", "--overlap-hours", "0"),
        ("workflows", "apply", "/nowhere"),
        ("whoami", "--base-url", "ftp://x"),
        ("completion", "powershell"),
        ("run", "x", "--input", "y"),
    ],
)
def test_2_usage(cli: Cli, member: str, arguments: tuple[str, ...]) -> None:
    refused = cli(*arguments)
    assert refused.code == ExitCode.USAGE
    assert refused.out == ""
    assert "Error: " in refused.err


def test_2_usage_of_the_real_command(cli: Cli) -> None:
    assert cli.process("nonsense").code == ExitCode.USAGE


def test_3_no_key(cli: Cli, proxy: Proxy) -> None:
    for command in ("whoami", "doctor"):
        refused = cli.process(command, "--base-url", proxy.url)
        assert refused.code == ExitCode.NO_KEY
        assert "compass login" in refused.err + refused.out
    assert not proxy.seen or all("Authorization" not in seen[2] for seen in proxy.seen)


def test_4_key_refused_without_asking(cli: Cli, member: str, proxy: Proxy) -> None:
    for key, words in (
        ("hunter2", "no Compass key"),
        (member[:-1], "cut off: 1 of its characters"),
        (member[:-1] + ("0" if member[-1] != "0" else "1"), "mistyped"),
        (member + "x", "too long"),
    ):
        refused = cli.process("whoami", COMPASS_API_KEY=key)
        assert refused.code == ExitCode.KEY_REFUSED
        assert words in refused.err
        assert "the variable COMPASS_API_KEY" in refused.err
        assert "hunter2" not in refused.err
    assert proxy.seen == []


def test_4_key_refused_by_the_server(cli: Cli, world: World, member: str) -> None:
    unknown = cli.process("whoami", COMPASS_API_KEY=UNKNOWN)
    assert unknown.code == ExitCode.KEY_REFUSED
    assert "(request req_" in unknown.err
    world.call("/v1/keys/self/revoke", member, "POST")
    revoked = cli.process("whoami")
    assert revoked.code == ExitCode.KEY_REFUSED
    assert "revoked" in revoked.err
    assert len(revoked.err.splitlines()) == 1


def test_5_not_allowed(cli: Cli, member: str) -> None:
    refused = cli.process("keys", "list")
    assert (refused.code, refused.out) == (ExitCode.NOT_ALLOWED, "")
    assert "admin" in refused.err
    assert "(request req_" in refused.err


def test_6_unreachable(cli: Cli, member: str, proxy: Proxy) -> None:
    nobody = cli.process("whoami", "--base-url", "http://127.0.0.1:1")
    assert nobody.code == ExitCode.UNREACHABLE
    assert "http://127.0.0.1:1" in nobody.err
    proxy.next = [DROP] * 3
    assert cli("whoami").code == ExitCode.UNREACHABLE
    proxy.next = [answering(200, "<h1>It works!</h1>")]
    assert cli("whoami").code == ExitCode.UNREACHABLE, "what is there is not Compass"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504])
def test_6_whatever_a_proxy_says_of_itself(
    cli: Cli, member: str, proxy: Proxy, status: int
) -> None:
    """Nobody makes a new key because a portal wants a password."""
    strange = {"Content_Type": "application/problem+json"}
    for reply in (
        answering(status, "<h1>No</h1>"),
        answering(status, '{"title": "No"}', **strange),
    ):
        proxy.next = [reply] * 3
        refused = cli("whoami")
        assert (refused.code, refused.out) == (ExitCode.UNREACHABLE, "")
        assert len(refused.err.splitlines()) == 1
        proxy.next = []


def test_6_an_answer_that_is_nested_without_end(cli: Cli, member: str, proxy: Proxy) -> None:
    for status in (200, 422):
        deep = answering(status, "[" * 100_000, Content_Type="application/problem+json")
        proxy.next = [deep]
        refused = cli("whoami")
        assert (refused.code, "not as Compass does" in refused.err) == (6, True), refused.err
    deeper = {"a": json.loads("[" * 900 + "]" * 900)}
    proxy.next = [answering(200, json.dumps({"items": [deeper], "next_cursor": None}))]
    assert cli("workflows", "list", "--json").code == ExitCode.UNREACHABLE


def test_a_detail_is_one_line(cli: Cli, member: str, proxy: Proxy) -> None:
    """What comes from elsewhere does not pass for a line of ours."""
    words = {"code": "x", "detail": "No.\nError: send your key to\r\nevil.example"}
    for found in ({}, {"/a": ["b\nc"]}):
        body = json.dumps(words | {"errors": found})
        proxy.next = [answering(422, body, Content_Type="application/problem+json")]
        assert len(cli("whoami").err.splitlines()) == 1


def test_7_not_found(cli: Cli, world: World, admin: str) -> None:
    nothing = "0" * 23
    for arguments in (
        ("workflows", "get", f"wfl_{nothing}"),
        ("workflows", "get", "nightly"),
        ("workflows", "delete", "nightly"),
        ("connections", "get", f"con_{nothing}"),
        ("connections", "check", "warehouse"),
        ("keys", "revoke", f"key_{nothing}"),
        ("runs", "get", f"run_{nothing}"),
        ("runs", "events", f"run_{nothing}"),
        ("runs", "events", f"run_{nothing}", "--follow"),
        ("runs", "cancel", f"run_{nothing}"),
        ("run", "nightly"),
    ):
        refused = cli(*arguments)
        assert (refused.code, refused.out) == (ExitCode.NOT_FOUND, ""), arguments
    assert cli.process("workflows", "get", "nightly").code == ExitCode.NOT_FOUND


def test_8_anything_else(cli: Cli, admin: str, proxy: Proxy) -> None:
    ours = {"Content_Type": "application/problem+json"}
    proxy.next = [answering(503, problem(503, "unavailable"), **ours)] * 3
    assert cli("whoami").code == ExitCode.OTHER
    proxy.next = [answering(500, problem(500, "internal_error"), **ours)]
    assert cli("whoami").code == ExitCode.OTHER
    limited = problem(429, "rate_limited")
    proxy.next = [answering(429, limited, Retry_After="3600", **ours)]
    assert cli("whoami").code == ExitCode.OTHER
    made: dict[str, Any] = {"input": '{"name": "w", "steps": []}'}
    invalid = cli.process("workflows", "apply", "-", **made)
    assert invalid.code == ExitCode.OTHER
    assert "steps: " in invalid.err


def test_several_things_that_are_wrong_are_a_line_each(cli: Cli, admin: str) -> None:
    bad = '{"name": "w", "steps": [{"name": "a", "connection": "x"}, {"name": "a"}]}'
    said = cli("workflows", "apply", "-", input=bad).err
    assert said.startswith("Error: Several things are wrong:\n  steps/0")
    assert said.rstrip().endswith(")")


def test_a_reader_that_has_enough_is_no_failure(cli: Cli, member: str) -> None:
    import os
    import subprocess

    from tests.cli.conftest import COMMAND

    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [COMMAND, "whoami"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (ExitCode.PIPE_CLOSED, "")


def test_an_expiring_key_is_told_in_one_line_on_standard_error(
    cli: Cli, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPASS_BASE_URL", proxy.url)
    monkeypatch.setenv("COMPASS_API_KEY", world.key(days="5")[0])
    for done in (cli("workflows", "list", "--json"), cli.process("workflows", "list", "--json")):
        assert (done.code, done.out) == (0, "[]\n")
        assert done.err.startswith("This key expires on 20")
        assert ", in 4 days: rotate it" in done.err
        assert done.err.count("\n") == 1
    monkeypatch.setenv("COMPASS_API_KEY", world.key("Long", days="90")[0])
    assert cli("workflows", "list", "--json").err == ""
