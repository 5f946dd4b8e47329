"""No key in what any command prints, whatever becomes of it. (`Cli` looks through all of it, in
every other test as well.)"""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from compass.cli import failures, settings
from compass.cli.app import compass
from compass.cli.command import Choices
from compass.server.core.tokens import hint
from tests.cli.conftest import KEY, Cli
from tests.sdk.proxy import DROP, Proxy, answering
from tests.world import World

NOTHING = "0" * 23

# Each command, as an admin would call it.
CALLS = [
    ("whoami",),
    ("doctor",),
    ("login", "--stdin"),
    ("run", "nightly"),
    ("runs", "list"),
    ("runs", "get", f"run_{NOTHING}"),
    ("runs", "events", f"run_{NOTHING}"),
    ("runs", "cancel", f"run_{NOTHING}"),
    ("workflows", "list"),
    ("workflows", "get", "nightly"),
    ("workflows", "apply", "{workflow}"),
    ("workflows", "delete", "nightly"),
    ("connections", "list"),
    ("connections", "create", "chat", "--kind", "http", "--config", "base_url=https://x.example",
     "--credentials-file", "{credentials}"),
    ("connections", "get", "chat"),
    ("connections", "update", "chat", "--credentials-file", "{credentials}"),
    ("connections", "check", "chat"),
    ("connections", "delete", "chat"),
    ("keys", "list"),
    ("keys", "rotate", "--store"),
    ("keys", "revoke", "self"),
    ("scan", "{key}"),
    ("completion", "bash"),
    ("logout",),
]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path, admin: str) -> dict[str, str]:
    (tmp_path / "key").write_text(f"key = {admin}\n")
    (tmp_path / "credentials").write_text('{"auth": "bearer", "token": "hunter2"}')
    (tmp_path / "workflow").write_text('{"name": "nightly", "steps": []}')
    return {name: str(tmp_path / name) for name in ("key", "credentials", "workflow")}


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from commands(each, (*path, name))
    else:
        yield path


def test_the_list_has_every_command() -> None:
    called = {call[: len(path)] for path in commands(compass) for call in CALLS}
    assert {path for path in commands(compass) if path not in called} == set()


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_no_command_shows_a_key_or_a_credential(
    cli: Cli, proxy: Proxy, admin: str, files: dict[str, str], call: tuple[str, ...]
) -> None:
    arguments = [each.format(**files) for each in call]
    for options in ((), ("--json",), ("--debug",), ("--json", "--debug")):
        for misbehaviour in ([], [DROP] * 3, [answering(500, admin)], [answering(200, admin)]):
            proxy.next = [*misbehaviour]
            done = cli(*arguments, *options, input=admin)
            assert "hunter2" not in done.out + done.err
            assert admin[11:51] not in done.out + done.err
    proxy.next = []


@pytest.mark.parametrize(
    "call",
    [
        ("{}",),
        ("login", "{}"),
        ("--x{}",),
        ("scan", "{}"),
        ("runs", "get", "{}"),
        ("run", "{}"),
        ("run", "x", "--input", "{}"),
        ("keys", "revoke", "{}"),
        ("keys", "rotate", "--overlap-hours", "{}"),
        ("connections", "get", "{}"),
        ("connections", "create", "{}", "--kind", "http", "--credentials-file", "{}"),
        ("workflows", "apply", "{}"),
        ("whoami", "--profile", "{}"),
        ("whoami", "--api-key-file", "{}"),
        ("whoami", "--base-url", "{}"),
        ("whoami", "--base-url", "http://{}.example"),
    ],
    ids=" ".join,
)
def test_a_key_in_the_wrong_place_is_not_quoted(
    cli: Cli, admin: str, call: tuple[str, ...]
) -> None:
    """Neither whole nor, where it was cut off, what there is of it."""
    for typed in (admin, admin[:-1]):
        done = cli(*(each.format(typed) for each in call))
        assert done.code != 0
        assert admin[11:51] not in done.err + done.out


def test_debug_shows_the_exchange_with_the_key_masked(cli: Cli, admin: str, proxy: Proxy) -> None:
    done = cli("workflows", "list", "--debug", "--json")
    assert (done.code, done.out) == (0, "[]\n")
    lines = done.err.splitlines()
    assert lines[0] == f"> GET {proxy.url}/v1/workflows?limit=100"
    assert f"> authorization: Bearer {hint(admin)}" in lines
    assert any(line.startswith("< 200 OK, in ") for line in lines)
    assert any(line.startswith("< x-request-id: req_") for line in lines)
    assert '< {"items": [], "next_cursor": null}' in lines


def test_debug_hides_credentials_and_new_secrets(
    cli: Cli, admin: str, files: dict[str, str]
) -> None:
    made = cli("connections", "create", "chat", "--kind", "http", "--config",
               "base_url=https://x.example", "--credentials-file", files["credentials"],
               "--debug")  # fmt: skip
    assert made.code == 0
    assert '"credentials": "•••"' in made.err
    rotated = cli("keys", "rotate", "--debug", tells=True)
    assert KEY.fullmatch(rotated.out.strip())
    assert '"secret": "•••"' in rotated.err


def test_debug_masks_before_it_cuts(cli: Cli, admin: str, proxy: Proxy) -> None:
    """However far into a long body a key is."""
    for before in range(3940, 4000, 7):
        proxy.next = [answering(200, json.dumps({"a": "x" * before + admin}))]
        said = cli("whoami", "--debug").err
        assert admin[:18] not in said


def test_debug_goes_through_the_proxy_of_the_environment(
    cli: Cli, member: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every other call does."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "")
    for command in (("whoami",), ("whoami", "--debug"), ("doctor",)):
        assert cli(*command, "--base-url", "http://compass.invalid").code == 0, command
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    for command in (("whoami",), ("whoami", "--debug"), ("doctor",)):
        assert cli(*command).code == 0, "not to this very machine"


def test_a_proxy_that_can_not_be_used_is_a_sentence(
    cli: Cli, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:hunter2@127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    for command in (("whoami",), ("whoami", "--debug"), ("doctor",)):
        assert cli(*command).code == 0, "not to this very machine"
        told = cli(*command, "--base-url", "https://compass.invalid")
        assert told.code == 8
        assert "ALL_PROXY names a SOCKS proxy" in told.err + told.out
        assert "hunter2" not in told.err + told.out
    monkeypatch.delenv("ALL_PROXY")
    monkeypatch.setenv("SSL_CERT_FILE", "/nope")
    for command in (("whoami",), ("whoami", "--debug"), ("doctor",)):
        told = cli(*command)
        assert (told.code, "SSL_CERT_FILE names /nope" in told.err + told.out) == (8, True)


def test_what_holds_a_key_does_not_show_it(member: str) -> None:
    for thing in (settings.Setting(member, "x"), Choices(api_key=member)):
        assert not KEY.search(repr(thing))
    failure = failures.Failure(f"It was {member}.")
    assert str(failure) == f"It was {hint(member)}."


def test_an_error_of_our_own_is_a_sentence_too(
    cli: Cli, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise LookupError(f"no {member}")

    monkeypatch.setattr(settings, "required_key", broken)
    done = cli("whoami")
    assert done.code == 8
    assert f"(LookupError: 'no {hint(member)}')" in done.err or hint(member) in done.err
    assert "--debug" in done.err


def test_json_is_json_whatever_happens_beside_it(
    cli: Cli, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPASS_BASE_URL", proxy.url)
    monkeypatch.setenv("COMPASS_API_KEY", world.key(days="3")[0])
    for call in (("whoami",), ("doctor",), ("workflows", "list"), ("runs", "list")):
        json.loads(cli(*call, "--json", "--debug").out)
