"""The command, in this process or in one of its own, against the real app on a port."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from compass.cli.app import compass
from compass.sdk import exchange
from tests.sdk.proxy import Proxy
from tests.world import World

COMMAND = str(Path(sys.executable).with_name("compass"))

KEY = re.compile(r"compass_(?:sa|pat)_[0-9A-Za-z]{46}")


@dataclass
class Outcome:
    """What a command did. `out` and `err` were looked through for keys."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Runs `compass`, with the environment that a test has set."""

    def __init__(self, home: Path):
        self.home = home
        self.config = home / ".config/compass/config.toml"

    def __call__(self, *arguments: str, input: str | bytes = "", tells: bool = False) -> Outcome:
        """In this process. `tells`: the one command that may print a key, on standard output."""
        result = CliRunner().invoke(compass, arguments, input=input, prog_name="compass")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return _looked_through(Outcome(result.exit_code, result.stdout, result.stderr), tells)

    def process(self, *arguments: str, input: str = "", **environment: str) -> Outcome:
        """The real command, as a shell starts it."""
        done = subprocess.run(
            [COMMAND, *arguments],
            input=input,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return _looked_through(Outcome(done.returncode, done.stdout, done.stderr), False)

    def stores(self, text: str, mode: int = 0o600) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(mode)


def _looked_through(outcome: Outcome, tells: bool) -> Outcome:
    assert not KEY.search(outcome.err), outcome.err
    assert tells or not KEY.search(outcome.out), outcome.out
    assert "Traceback" not in outcome.err, outcome.err
    return outcome


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    home = tmp_path / "person"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(exchange, "FIRST_WAIT", 0.01)
    return Cli(home)


@pytest.fixture
def proxy(app: Flask) -> Iterator[Proxy]:
    """The app behind a proxy on a port, which misbehaves as it is told."""
    with Proxy(app) as proxy:
        yield proxy


@pytest.fixture
def admin(world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """An admin key, in the environment with the app's address."""
    return _given(monkeypatch, proxy, world.key("Admin", role="admin")[0])


@pytest.fixture
def member(world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """A member key, in the environment with the app's address."""
    return _given(monkeypatch, proxy, world.key("Member", role="member")[0])


def _given(monkeypatch: pytest.MonkeyPatch, proxy: Proxy, secret: str) -> str:
    monkeypatch.setenv("COMPASS_API_KEY", secret)
    monkeypatch.setenv("COMPASS_BASE_URL", proxy.url)
    return secret
