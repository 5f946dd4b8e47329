"""`compass doctor`: one line for each thing, and what to do."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from compass.server.core import users
from compass.server.core.tokens import hint
from tests.cli.conftest import Cli
from tests.sdk.proxy import Proxy
from tests.world import World

UNKNOWN = "compass_sa_" + "0" * 40 + "4OSWh2"


def lines(text: str) -> dict[str, str]:
    """Of each line: its name, and its mark with the rest."""
    return {line[2:13].strip(): f"{line[0]} {line[13:]}" for line in text.splitlines()}


def test_all_is_well(cli: Cli, world: World, member: str, proxy: Proxy) -> None:
    done = cli("doctor")
    assert (done.code, done.err) == (0, "")
    told = lines(done.out)
    assert "answers, in" in told.pop("Server")
    assert told == {
        "Key": f"✓ {hint(member)} from the variable COMPASS_API_KEY",
        "Shape": "✓ whole, with the right checksum",
        "Address": f"✓ {proxy.url} from the variable COMPASS_BASE_URL",
        "Clock": "✓ the server's and this one agree",
        "Accepted": "✓ the server knows the key",
        "Project": f"✓ Default ({world.project})",
        "Role": "✓ member",
        "Owner": "✓ none: a service account, which works on whoever leaves",
        "Expires": "✓ never",
    }


def test_the_real_command_says_the_same(cli: Cli, member: str) -> None:
    assert cli.process("doctor").code == 0
    assert "✓ Accepted" in cli.process("doctor", PYTHONIOENCODING="utf-8").out
    assert "? Accepted" in cli.process("doctor", PYTHONIOENCODING="latin-1").out


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("hunter2", "This is no Compass key"),
        (UNKNOWN[:-3], "cut off: 3 of its characters are missing"),
        (UNKNOWN[:-1] + "3", "mistyped: its checksum is wrong"),
        (UNKNOWN + "3", "too long"),
    ],
)
def test_mistyped_or_cut_off_is_told_offline(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    monkeypatch.setenv("COMPASS_API_KEY", key)
    done = cli("doctor", "--base-url", "http://127.0.0.1:1")
    assert done.code == 4
    told = lines(done.out)
    assert told["Shape"].startswith("✗ ")
    assert words in told["Shape"]
    assert told["Server"].startswith("✗ ")
    assert "hunter2" not in done.out


def test_refused_by_the_server_is_told_apart(
    cli: Cli, world: World, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.call("/v1/keys/self/revoke", member, "POST")
    done = cli("doctor")
    told = lines(done.out)
    assert (done.code, told["Shape"]) == (4, "✓ whole, with the right checksum")
    assert told["Accepted"].startswith("✗ ")
    assert "revoked" in told["Accepted"]
    assert "compass login" in told["Accepted"]
    monkeypatch.setenv("COMPASS_API_KEY", UNKNOWN)
    assert "of another installation" in lines(cli("doctor").out)["Accepted"]


def test_nothing_set(cli: Cli, proxy: Proxy) -> None:
    done = cli("doctor", "--base-url", proxy.url)
    told = lines(done.out)
    assert (done.code, told["Server"][0], "Accepted" in told) == (3, "✓", False)
    assert told["Key"].startswith("✗ neither a flag, nor COMPASS_API_KEY, nor ~/.config/compass")


def test_a_personal_token_whose_owner_was_more(
    cli: Cli, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.set_role("bob", "admin")
    secret, _ = world.key("Laptop", by="bob", type="personal", role="admin", days="7")
    world.set_role("bob", "member")
    monkeypatch.setenv("COMPASS_API_KEY", secret)
    monkeypatch.setenv("COMPASS_BASE_URL", proxy.url)
    done = cli("doctor")
    told = lines(done.out)
    assert told["Owner"] == "✓ Bob <bob@example.org>"
    assert told["Role"].startswith("✓ member, though the key's is admin")
    assert told["Expires"].startswith("! 20")
    assert "Rotate it in the browser" in told["Expires"]
    assert (done.code, done.err) == (0, ""), "what is worth knowing is no failure"
    world.change("bob", users.disable)
    assert cli("doctor").code == 4


def test_in_json(cli: Cli, member: str) -> None:
    good = cli("doctor", "--json").json
    assert good["ok"] is True
    assert good["checks"][1] == {
        "name": "Shape", "ok": True, "message": "whole, with the right checksum", "advice": "",
        "exit_code": 0,
    }  # fmt: skip
    bad = cli("doctor", "--json", "--base-url", "http://127.0.0.1:1")
    assert (bad.code, bad.json["ok"], bad.json["checks"][-1]["exit_code"]) == (6, False, 6)


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """A server that is not Compass, or is it on another day."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (200, b"<h1>It works!</h1>", {}, "something answers (200), but not as Compass does"),
        (404, b"", {}, "something answers (404)"),
        (301, b"", {"Location": "https://c.example.org/healthz"}, "leads elsewhere, to https://c"),
        (200, b"[]", {}, "something answers"),
    ],
)
def test_something_else_is_there(
    cli: Cli, member: str, status: int, body: bytes, headers: dict[str, str], words: str
) -> None:
    with answering(status, body, **headers) as url:
        done = cli("doctor", "--base-url", url)
    assert done.code == 6
    assert words in lines(done.out)["Server"]
    assert "Accepted" not in lines(done.out), "the key is not sent to it"


@pytest.mark.parametrize(("hours", "words"), [(3, "3:00:0"), (-3, "ahead of the server's")])
def test_a_clock_that_is_wrong(cli: Cli, member: str, hours: int, words: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    with answering(200, b'{"status": "ok"}', Date=date) as url:
        told = lines(cli("doctor", "--base-url", url).out)["Clock"]
    assert told.startswith("! this machine's is ")
    assert ("behind" in told) is (hours > 0)
    assert words in told or hours > 0


def test_plain_http_to_another_machine_is_said(cli: Cli, member: str) -> None:
    told = lines(cli("doctor", "--base-url", "http://compass.invalid").out)
    assert told["Encrypted"].startswith("! plain HTTP")
    assert "Encrypted" not in lines(cli("doctor").out)
