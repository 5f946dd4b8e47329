"""Where the key and the address come from, and what a person does to them by accident."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.sdk.proxy import Proxy
from tests.world import World


def stored(secret: str, address: str) -> str:
    return f'api_key = "{secret}"\nbase_url = "{address}"\n'


def test_flag_then_variable_then_file(
    cli: Cli, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by = {name: world.key(name)[0] for name in ("flag", "flag-file", "variable", "file")}
    cli.stores(stored(by["file"], proxy.url))
    (tmp_path / "key").write_text(by["flag-file"] + "\n")

    def wins(*arguments: str) -> tuple[str, str]:
        found = cli("whoami", "--json", *arguments).json
        return found["key"]["name"], found["from"]["api_key"]

    assert wins() == ("file", "the file ~/.config/compass/config.toml")
    monkeypatch.setenv("COMPASS_API_KEY", by["variable"])
    assert wins() == ("variable", "the variable COMPASS_API_KEY")
    assert wins("--api-key", by["flag"]) == ("flag", "the flag --api-key")
    flag_file = ("--api-key-file", str(tmp_path / "key"))
    assert wins(*flag_file) == ("flag-file", f"the file {tmp_path}/key")


def test_the_address_goes_by_the_same_order(
    cli: Cli, member: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cli("whoami", "--json").json
    assert (found["base_url"], found["from"]["base_url"]) == (
        proxy.url, "the variable COMPASS_BASE_URL",
    )  # fmt: skip
    monkeypatch.setenv("COMPASS_BASE_URL", "http://127.0.0.1:1")
    assert cli("whoami", "--json", "--base-url", proxy.url).json["from"]["base_url"] == (
        "the flag --base-url"
    )
    cli.stores(f'base_url = "{proxy.url}"\n')
    monkeypatch.delenv("COMPASS_BASE_URL")
    assert cli("whoami", "--json").json["from"]["base_url"].startswith("the file ")
    cli.config.unlink()
    assert "http://127.0.0.1:8000 from the default" in cli("doctor").out


def test_options_may_stand_before_and_after_the_command(
    cli: Cli, member: str, proxy: Proxy
) -> None:
    for arguments in (
        ("--base-url", proxy.url, "--json", "workflows", "list"),
        ("workflows", "--base-url", proxy.url, "list", "--json"),
        ("workflows", "list", "--json", "--base-url", proxy.url),
    ):
        assert cli(*arguments).out == "[]\n"
    wins = ("--base-url", "http://127.0.0.1:1", "workflows", "list", "--base-url", proxy.url)
    assert cli(*wins).code == 0, "the nearer to the end wins"


@pytest.mark.parametrize(
    "around",
    ["{}\n", "{}\r\n", " {} ", '"{}"', "'{}'", '"{}"\r\n', "\ufeff{}", "\t{}\n\n", "Bearer {}"],
)
def test_what_came_along_with_a_key_is_taken_off(
    cli: Cli, member: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, around: str
) -> None:
    text = around.format(member)
    monkeypatch.setenv("COMPASS_API_KEY", text)
    assert cli("whoami").code == 0
    assert "! Stripped" in cli("doctor").out
    monkeypatch.delenv("COMPASS_API_KEY")
    (tmp_path / "key").write_text(text, newline="")
    assert cli("whoami", "--api-key-file", str(tmp_path / "key")).code == 0
    assert cli("whoami", "--api-key-file", "-", input=text).code == 0
    assert cli("whoami", "--api-key", text).code == 0
    (tmp_path / "key").write_text(text, encoding="utf-16", newline="")
    assert cli("whoami", "--api-key-file", str(tmp_path / "key")).code == 0, "as PowerShell writes"


@pytest.mark.parametrize("empty", ["", " ", "\n", '""', "\ufeff"])
def test_an_empty_variable_counts_as_none(
    cli: Cli, member: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, empty: str
) -> None:
    cli.stores(stored(member, proxy.url))
    monkeypatch.setenv("COMPASS_API_KEY", empty)
    monkeypatch.setenv("COMPASS_BASE_URL", empty)
    found = cli("whoami", "--json").json["from"]
    assert found["api_key"] == found["base_url"] == "the file ~/.config/compass/config.toml"
    cli.config.unlink()
    assert cli("whoami").code == 3


def test_an_empty_flag_is_a_mistake_and_not_the_next_source(cli: Cli, member: str) -> None:
    """`--api-key "$FORGOTTEN"` must not act with another key."""
    for flag in ("--api-key", "--api-key-file", "--base-url", "--profile"):
        refused = cli("whoami", flag, "")
        assert (refused.code, f"{flag} is empty" in refused.err) == (2, True)


def test_a_file_without_a_key_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    refused = cli("whoami", "--api-key-file", str(tmp_path / "key"))
    assert (refused.code, "it is empty" in refused.err) == (3, True)
    missing = cli("whoami", "--api-key-file", str(tmp_path / "missing"))
    assert (missing.code, "can't be read" in missing.err) == (2, True)


@pytest.mark.parametrize(
    "shape", ["{}", "{}/", "{}//", "{}/v1", "{}/v1/", " {}\n", '"{}"', "bare", "bare/"]
)
def test_an_address_is_taken_as_people_write_it(
    cli: Cli, member: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    text = shape.format(proxy.url).replace("bare", proxy.url.removeprefix("http://"))
    monkeypatch.setenv("COMPASS_BASE_URL", text)
    found = cli("whoami", "--json")
    assert found.code == 0, found.err
    assert found.json["base_url"] == proxy.url


@pytest.mark.parametrize(
    "address",
    [
        "ftp://compass.example.org",
        "http://",
        "http://user:pw@x.example",
        "a b",
        "x:y:z",
        "[::1",
        "http://a..b",
        f"http://{'a' * 64}.example",
        "http://\udcff",
    ],
)
def test_what_is_no_address_is_said_with_its_source(cli: Cli, member: str, address: str) -> None:
    refused = cli("whoami", "--base-url", address)
    assert refused.code == 2
    assert "It is from the flag --base-url." in refused.err
    assert "pw" not in refused.err


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o622])
def test_a_file_that_others_can_open_is_refused(
    cli: Cli, member: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    cli.stores(stored(member, proxy.url), mode)
    monkeypatch.delenv("COMPASS_API_KEY")
    refused = cli("whoami")
    assert refused.code == 3
    assert f"(mode {mode:04o})" in refused.err
    assert "chmod 600 ~/.config/compass/config.toml" in refused.err
    assert cli("login", "--stdin", input=member).code == 3, "nor is it written to"
    assert cli("doctor").code == 3
    cli.config.chmod(0o600)
    assert cli("whoami").code == 0


@pytest.mark.parametrize("text", ["api_key = compass", "\x00", "[", 'api_key = "{}'])
def test_a_file_that_is_no_toml_is_said_without_a_line_of_it(cli: Cli, text: str) -> None:
    cli.stores(text.format("compass_sa_" + "0" * 40 + "4OSWh2"))
    refused = cli("whoami")
    assert (refused.code, "is not valid TOML" in refused.err) == (3, True)


def test_xdg_config_home_is_respected(
    cli: Cli, member: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("COMPASS_API_KEY")
    assert cli("login", "--stdin", input=member).code == 0
    assert (tmp_path / "xdg/compass/config.toml").stat().st_mode & 0o777 == 0o600
    assert not cli.config.exists()
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert cli("whoami").code == 3


def test_profiles_keep_a_key_for_each_project(
    cli: Cli, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_project("Reports")
    for profile, name in (("", "Default"), ("reports", "Reports")):
        secret, _ = world.key(f"Key of {name}", project=name)
        chosen = ("--profile", profile) if profile else ()
        made = cli("login", "--stdin", "--base-url", proxy.url, *chosen, input=secret)
        assert made.code == 0, made.err

    def project(*arguments: str) -> str:
        return str(cli("whoami", "--json", *arguments).json["project"]["name"])

    assert project() == "Default"
    assert project("--profile", "reports") == "Reports"
    monkeypatch.setenv("COMPASS_PROFILE", "reports")
    assert project() == "Reports"
    monkeypatch.setenv("COMPASS_API_KEY", world.key("Variable")[0])
    assert project() == "Default", "a variable with a key goes before one with a profile's name"
    assert project("--profile", "reports") == "Reports", "what was typed goes before both"
    unknown = cli("whoami", "--profile", "x")
    assert unknown.code == 3
    assert "There is no profile x" in unknown.err
    assert "(there is: reports)" in unknown.err
    assert cli("logout", "--profile", "reports").code == 0
    assert "profiles" not in cli.config.read_text()
