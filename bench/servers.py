"""The servers that are measured: real ones, one worker process each, on free ports."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click
import httpx

from compass.server.serve import THREADS
from tests.servers import COMMAND, clean_environment, free_port

_UP_WITHIN_SECONDS = 60
# The limiter counts every request and refuses none of them.
_NO_LIMIT_IN_REACH = "100000000/minute"


def compass_environment(home: Path) -> dict[str, str]:
    return clean_environment(COMPASS_HOME=str(home), COMPASS_RATE_LIMIT=_NO_LIMIT_IN_REACH)


def compass_command(port: int) -> list[str]:
    return [*COMMAND, "serve", "--workers", "1", "--port", str(port)]


@contextmanager
def compass(home: Path, log: Path | None = None) -> Iterator[str]:
    """The address of Compass with everything by default but the limit's number."""
    port = free_port()
    with running(compass_command(port), compass_environment(home), log) as process:
        yield _when_up(process, port, "/readyz")


@contextmanager
def other(target: str, **settings: str) -> Iterator[str]:
    """The address of `target`, a WSGI app, under the server and options that Compass has."""
    port = free_port()
    command = [sys.executable, "-m", "bench.wsgi", target, str(port), str(THREADS)]
    with running(command, clean_environment(**settings)) as process:
        # Any answer will do: without a key some of these refuse.
        yield _when_up(process, port, "/v1/me")


@contextmanager
def running(
    command: list[str], environment: dict[str, str], log: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is ended at the end. What it prints is of no interest, its errors are."""
    with log.open("w") if log else nullcontext() as errors:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


def _when_up(process: "subprocess.Popen[bytes]", port: int, path: str) -> str:
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + _UP_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}{path}")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return url
    raise click.ClickException(f"A server ended, or did not answer within {_UP_WITHIN_SECONDS} s.")
