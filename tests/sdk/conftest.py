"""Clients of the real app: in process, where the transport can, and over a real port."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from flask import Flask

from compass import Compass
from compass.sdk import exchange
from tests.sdk.proxy import Proxy
from tests.servers import COMMAND, Server, clean_environment, serving
from tests.world import World


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "FIRST_WAIT", 0.01)


@pytest.fixture
def connect(app: Flask) -> Iterator[Callable[[str], Compass]]:
    """A client with this secret, of the app in this process."""
    clients: list[Compass] = []

    def connect(secret: str) -> Compass:
        transport = httpx.WSGITransport(app=app)
        clients.append(Compass(secret, "http://compass.test", transport=transport))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def admin(world: World, connect: Callable[[str], Compass]) -> Compass:
    return connect(world.key("Admin", role="admin")[0])


@pytest.fixture
def member(world: World, connect: Callable[[str], Compass]) -> Compass:
    return connect(world.key("Member", role="member")[0])


@pytest.fixture
def proxy(app: Flask) -> Iterator[Proxy]:
    """The app behind a proxy on a port, which misbehaves as it is told."""
    with Proxy(app) as proxy:
        yield proxy


@dataclass(frozen=True)
class Served:
    """`compass-server serve`, with a key of each role in its project Default."""

    server: Server
    admin: str
    member: str

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served") / "home"
    with serving(home) as server:
        yield Served(server, make_key(home, "Admin", "admin"), make_key(home, "Member", "member"))


def make_key(home: Path, name: str, role: str) -> str:
    """As the operator makes one."""
    command = [*COMMAND, "keys", "create", "--project", "Default", "--name", name, "--role", role]
    environment = clean_environment(COMPASS_HOME=str(home))
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return made.stdout.strip()
