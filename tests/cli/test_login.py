"""`compass login`, `logout`, `whoami`."""

import stat
import subprocess
from pathlib import Path

import pytest

from compass.cli import config_file
from compass.server.core import users
from compass.server.core.tokens import hint
from tests.cli.conftest import Cli
from tests.cli.terminal import Terminal
from tests.sdk.proxy import Proxy
from tests.world import World


def test_it_checks_the_key_and_stores_it_for_its_owner_alone(
    cli: Cli, world: World, proxy: Proxy
) -> None:
    secret, _ = world.key("CI Pipeline")
    done = cli("login", "--stdin", "--base-url", f"{proxy.url}/", input=f"{secret}\r\n")
    assert done.out == "Signed in to Default as CI Pipeline (service account, member).\n"
    assert done.err == "Stored in ~/.config/compass/config.toml.\n"
    assert stat.S_IMODE(cli.config.stat().st_mode) == 0o600
    assert stat.S_IMODE(cli.config.parent.stat().st_mode) == 0o700
    assert cli.config.read_text() == f'api_key = "{secret}"\nbase_url = "{proxy.url}"\n'
    assert [each.name for each in cli.config.parent.iterdir()] == ["config.toml"]
    assert cli("whoami").code == 0
    assert cli("logout").out.startswith("Removed from ~/.config/compass/config.toml.")
    assert not cli.config.exists()
    assert cli("logout").out == "There was no stored key.\n"


def test_a_key_that_is_refused_is_not_stored(cli: Cli, world: World, proxy: Proxy) -> None:
    secret, key_id = world.key()
    world.call("/v1/keys/self/revoke", secret, "POST")
    for typed, code, words in (
        (secret, 4, "revoked"),
        (secret[:-1], 4, "cut off"),
        ("hunter2", 4, "no Compass key"),
        ("", 3, "There is no key in standard input"),
        (" \n", 3, "There is no key in standard input"),
    ):
        refused = cli("login", "--stdin", "--base-url", proxy.url, input=typed)
        assert refused.code == code, refused.err
        assert words in refused.err
        assert "hunter2" not in refused.err
        assert not cli.config.exists()


def test_what_was_stored_stays_if_the_new_key_is_refused(
    cli: Cli, world: World, proxy: Proxy
) -> None:
    secret, _ = world.key()
    cli("login", "--stdin", "--base-url", proxy.url, input=secret)
    before = cli.config.read_bytes()
    assert cli("login", "--stdin", "--base-url", "http://127.0.0.1:1", input=secret).code == 6
    assert cli.config.read_bytes() == before


def test_it_says_when_a_variable_goes_before_it(cli: Cli, member: str) -> None:
    for command in ("login", "logout"):
        assert "COMPASS_API_KEY is" in cli(command, input=member).err


def test_whoami_of_a_personal_token_names_its_owner(
    cli: Cli, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, key_id = world.key("Laptop", by="bob", type="personal", days="90")
    monkeypatch.setenv("COMPASS_API_KEY", secret)
    monkeypatch.setenv("COMPASS_BASE_URL", proxy.url)
    lines = dict(line.split("  ", 1) for line in cli("whoami").out.splitlines())
    told = {name: value.strip() for name, value in lines.items()}
    assert told == {
        "Project": f"Default ({world.project})",
        "Key": f"Laptop ({key_id}), personal token",
        "Role": "member",
        "Owner": "Bob <bob@example.org>",
        "Expires": told["Expires"],
        "API key": f"{hint(secret)}, from the variable COMPASS_API_KEY",
        "Address": f"{proxy.url}, from the variable COMPASS_BASE_URL",
    }
    assert told["Expires"].endswith("in 89 days")
    world.change("bob", users.disable)
    assert cli("whoami").code == 4


def test_whoami_in_json_is_what_the_server_says_and_where_it_came_from(
    cli: Cli, world: World, member: str, proxy: Proxy
) -> None:
    world.call("/v1/me", member)
    said = cli("whoami", "--json").json
    source = said.pop("from")
    assert source == {
        "api_key": "the variable COMPASS_API_KEY",
        "base_url": "the variable COMPASS_BASE_URL",
    }
    assert said.pop("base_url") == proxy.url
    assert said == world.call("/v1/me", member).json


def test_on_a_terminal_it_asks_without_showing_the_key(
    cli: Cli, world: World, proxy: Proxy
) -> None:
    secret, _ = world.key()
    with Terminal("login") as terminal:
        terminal.expects("Address of Compass [http://127.0.0.1:8000]: ")
        terminal.types(f"{proxy.url}\n")
        terminal.expects("API key (not shown): ")
        terminal.types(f"{secret}\n")
        assert terminal.ends() == 0
    assert "Signed in to Default" in terminal.shown
    assert secret not in terminal.shown
    assert secret in cli.config.read_text()


def test_leaving_the_question_is_no_failure_of_a_run(cli: Cli, proxy: Proxy) -> None:
    with Terminal("login", "--base-url", proxy.url) as terminal:
        terminal.expects("API key (not shown): ")
        terminal.types("\x03")
        assert terminal.ends() == 130
    assert "Traceback" not in terminal.shown


@pytest.mark.parametrize(
    "value", ["plain", 'a "quoted" one', "back\\slash", "line\nend", "é 🔑", "\x1b[0m", "a.b"]
)
def test_what_is_written_is_read_again(cli: Cli, value: str) -> None:
    kept = {"api_key": value, "base_url": value}
    config_file.write("", kept)
    config_file.write(value, kept)
    assert config_file.read() == config_file.read(value) == kept
    assert config_file.names() == [value]


def test_a_link_to_a_file_elsewhere_stays_one(cli: Cli) -> None:
    real = cli.home / "dotfiles/compass.toml"
    cli.config.parent.mkdir(parents=True)
    cli.config.symlink_to(real)
    config_file.write("", {"api_key": "x"})
    assert cli.config.is_symlink()
    assert "x" in real.read_text()


def test_a_variable_that_leads_elsewhere_is_told(
    cli: Cli, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, _ = world.key()
    for address, is_told in (("http://127.0.0.1:1", True), ("ftp://x", True), (proxy.url, False)):
        monkeypatch.setenv("COMPASS_BASE_URL", address)
        done = cli("login", "--stdin", "--base-url", f"{proxy.url}/", input=secret)
        assert done.code == 0
        assert ("COMPASS_BASE_URL is set and goes before it." in done.err) == is_told
    monkeypatch.setenv("COMPASS_BASE_URL", "http://127.0.0.1:1")
    named = cli("login", "--stdin", "--base-url", proxy.url, "--profile", "x", input=secret)
    assert "goes before" not in named.err, "a profile that is named goes first"


# "~" is a home that leads to itself: Python knows of none then.
@pytest.mark.parametrize("home", ["/dev/null", "~"])
def test_without_a_home_nothing_is_stored_and_all_else_works(
    cli: Cli, member: str, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("HOME", home)
    assert cli("whoami").code == 0
    assert cli("doctor").code == 0
    assert cli("logout").out == "There was no stored key.\n"
    for command in (("login", "--stdin"), ("keys", "rotate", "--store")):
        refused = cli(*command, input=member)
        assert (refused.code, refused.out) == (3, "")
        assert "A key can't be stored" in refused.err
        assert "XDG_CONFIG_HOME" in refused.err
        assert len(refused.err.splitlines()) == 1
    monkeypatch.delenv("COMPASS_API_KEY")
    assert cli("whoami").code == 3
    assert cli("doctor").code == 3


def test_the_line_that_mends_a_mode_can_be_pasted(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "my settings; x"))
    file = tmp_path / "my settings; x/compass/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("")
    file.chmod(0o644)
    said = cli("whoami").err
    assert f"chmod 600 '{file}'" in said or "chmod 600 ~/'" in said
    command = said.partition("Run: ")[2].partition("   (")[0]
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
