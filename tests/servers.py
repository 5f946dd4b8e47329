"""Real `compass-server serve` processes, on free ports, for tests that need what is real."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

COMMAND = [str(Path(sys.executable).with_name("compass-server"))]
START_WITHIN_SECONDS = 60


@dataclass
class Server:
    url: str
    home: Path
    process: "subprocess.Popen[str]"
    log: Path
    said: list[str]
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self) -> httpx.Client:
        """A browser of its own, closed with the server."""
        self.clients.append(httpx.Client(base_url=self.url, timeout=30))
        return self.clients[-1]

    @property
    def setup_link(self) -> str:
        found = re.search(r"http\S+/setup\?setup_token=\S+", "\n".join(self.said))
        assert found, self.said
        return found.group()

    def get(self, path: str, secret: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COMPASS_")}
    return kept | settings


@contextmanager
def serving(
    home: Path,
    *options: str,
    command: list[str] = COMMAND,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Server]:
    """A server that answers; stopped at the end. Its log is in `home`'s parent."""
    port = port or free_port()
    log = home.parent / f"server-{port}.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, "serve", "--port", str(port), "--workers", "1", *options],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=cwd,
            env=clean_environment(COMPASS_HOME=str(home), **(env or {})),
        )
    said: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=said.extend, args=(process.stdout,), daemon=True)
    reader.start()
    server = Server(f"http://127.0.0.1:{port}", home, process, log, said)
    try:
        wait_until_up(server)
        yield server
    finally:
        for client in server.clients:
            client.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        reader.join(timeout=30)
        process.stdout.close()


@contextmanager
def working(
    home: Path, *options: str, env: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker for runs, on the database that is there. Its log is beside the servers'."""
    process = start_worker(home, *options, env=env)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def start_worker(
    home: Path, *options: str, env: dict[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    with (home.parent / "worker.log").open("a") as log:
        return subprocess.Popen(
            [*COMMAND, "worker", *options],
            stdout=log,
            stderr=log,
            env=clean_environment(COMPASS_HOME=str(home), **(env or {})),
        )


def wait_until_up(server: Server) -> None:
    def is_up() -> bool:
        assert server.process.poll() is None, server.log.read_text()
        try:
            return server.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(is_up)


def wait_until(condition: Callable[[], bool]) -> None:
    """Asks again and again; only what never comes true takes its time."""
    deadline = time.monotonic() + START_WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
