"""`compass keys`: the project's, and what a key does to itself."""

import os
import re
import subprocess

import pytest

from compass.cli import config_file
from compass.server.core.tokens import hint
from tests.cli.conftest import COMMAND, KEY, Cli
from tests.cli.terminal import Terminal
from tests.sdk.proxy import TAKE_AND_DROP, Proxy
from tests.world import World


def test_admins_list_keys(cli: Cli, world: World, admin: str) -> None:
    world.key("Laptop", by="bob", type="personal", days="30")
    listed = cli("keys", "list")
    head, first, second = (line.split("\t") for line in listed.out.splitlines())
    assert head == ["id", "name", "owner", "role", "status", "hint", "created", "expires",
                    "last used"]  # fmt: skip
    assert first[1:5] == ["Laptop", "bob@example.org", "member", "active"]
    assert second[1:6] == ["Admin", "–", "admin", "active", hint(admin)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\dZ", first[7])
    assert cli("keys", "list", "--json").json == world.call("/v1/keys", admin).json["items"]


def test_on_a_narrow_terminal_ids_stay_whole(cli: Cli, world: World, admin: str) -> None:
    _, key_id = world.key("A name of some length that needs more than one line", days="30")
    with Terminal("keys", "list") as terminal:
        assert terminal.ends() == 0
    assert all(len(line) <= 80 for line in terminal.shown.splitlines()), terminal.shown
    row = next(line for line in terminal.shown.splitlines() if key_id in line)
    assert re.search(r"member +active +in \d+ d +never$", row.rstrip()), row


def test_revoking_is_asked_on_a_terminal_alone(cli: Cli, world: World, admin: str) -> None:
    _, key_id = world.key("Victim")
    with Terminal("keys", "revoke", key_id) as terminal:
        terminal.expects("for good? [y/N]: ")
        terminal.types("n\n")
        assert terminal.ends() == 8
    assert "Nothing was changed." in terminal.shown
    assert world.stored(key_id).revoked_at is None
    assert cli("keys", "revoke", key_id).out.startswith("Revoked Victim (compass_sa_")
    assert world.stored(key_id).revoked_at is not None
    assert cli("keys", "revoke", key_id, "--json").json["status"] == "revoked"


def test_a_leaked_key_can_kill_itself(cli: Cli, world: World, member: str) -> None:
    assert cli("keys", "revoke", "self").out == f"Revoked Member ({hint(member)}).\n"
    assert cli("whoami").code == 4


def test_rotating_prints_the_new_secret_alone_and_once(
    cli: Cli, world: World, member: str, proxy: Proxy
) -> None:
    done = cli("keys", "rotate", "--overlap-hours", "2", tells=True)
    assert KEY.fullmatch(done.out.strip())
    assert done.out.count("\n") == 1
    assert done.err.startswith("The old secret works until ")
    secret = done.out.strip()
    assert secret != member
    assert world.call("/v1/me", secret).json["key"]["name"] == "Member"
    assert not cli.config.exists()
    again = cli("keys", "rotate")
    assert (again.code, again.out) == (8, ""), "a key has two secrets at most"


@pytest.mark.parametrize("options", ["", "--json"])
@pytest.mark.parametrize("is_full", [True, False])
def test_a_secret_that_can_not_be_printed_is_told(
    cli: Cli, member: str, is_full: bool, options: str
) -> None:
    """A full disk; a reader that went before there was anything to read."""
    reading, writing = os.pipe()
    os.close(reading)
    full = os.open("/dev/full", os.O_WRONLY)
    done = subprocess.run(
        [COMMAND, "keys", "rotate", *options.split()],
        stdout=full if is_full else writing,
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    os.close(full)
    assert done.returncode == 8
    assert "The new secret could not be written to standard output, is lost" in done.stderr
    assert re.search(r"The old one works until 20.*take the rotation back", done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert not KEY.search(done.stderr)


@pytest.mark.parametrize("options", ["", "--json"])
def test_nothing_is_rotated_where_standard_output_is_closed(
    cli: Cli, world: World, member: str, options: str
) -> None:
    command = f"'{COMMAND}' keys rotate {options} >&-"
    done = subprocess.run(
        ["/bin/sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, "Standard output is closed" in done.stderr) == (8, True), done.stderr
    assert len(world.events("key.rotated")) == 0


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "--debug 2>/dev/full"])
def test_a_secret_is_printed_where_nobody_reads_remarks(
    cli: Cli, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, redirection: str
) -> None:
    monkeypatch.setenv("COMPASS_BASE_URL", proxy.url)
    monkeypatch.setenv("COMPASS_API_KEY", world.key(days="3")[0])
    command = f"'{COMMAND}' keys rotate {redirection}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True, check=False
    )
    assert KEY.fullmatch(done.stdout.strip())


def test_rotating_in_json(cli: Cli, world: World, member: str) -> None:
    done = cli("keys", "rotate", "--json", tells=True).json
    assert set(done) == {"secret", "key", "previous_ends_at"}
    assert world.call("/v1/me", done["secret"]).status_code == 200


def test_rotating_into_the_file_prints_nothing(
    cli: Cli, world: World, member: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMPASS_API_KEY")
    cli("login", "--stdin", input=member)
    done = cli("keys", "rotate", "--store")
    assert (done.code, done.out) == (0, "")
    assert "The new one is in ~/.config/compass/config.toml." in done.err
    kept = config_file.read()
    assert (kept["base_url"], kept["api_key"] != member) == (proxy.url, True)
    assert cli("whoami").code == 0
    monkeypatch.setenv("COMPASS_API_KEY", world.key("Other")[0])
    stored = cli("keys", "rotate", "--store", "--json")
    assert "secret" not in stored.json
    assert "COMPASS_API_KEY is set and goes before it" in stored.err


def test_nothing_is_rotated_if_it_could_not_be_stored(cli: Cli, world: World, member: str) -> None:
    (cli.home / ".config").write_text("a file where a folder should be")
    refused = cli("keys", "rotate", "--store")
    assert (refused.code, refused.out) == (3, "")
    assert len(world.events("key.rotated")) == 0
    assert cli("whoami", "--base-url", "http://127.0.0.1:1").code == 6


def test_a_lost_answer_is_not_asked_for_again(
    cli: Cli, world: World, member: str, proxy: Proxy
) -> None:
    proxy.next = [TAKE_AND_DROP]
    lost = cli("keys", "rotate")
    assert lost.code == 6
    assert "look before you repeat it" in lost.err
    assert len(world.events("key.rotated")) == 1
