"""From the command `compass-server serve` to its first answer."""

import http.client
import time
from pathlib import Path

import click

from bench import data
from bench.rivals import FEW_KEYS
from bench.run import Run, say
from bench.servers import compass_command, compass_environment, running
from bench.table import Figure, Goal
from tests.servers import free_port

# Seconds. A refused connection costs the server nothing.
_ASK_EVERY = 0.005
_GIVE_UP_AFTER = 60


def measure(run: Run) -> list[Figure]:
    """In turns: a database that is up to date, and a COMPASS_HOME that is not there yet."""
    home = data.make(run.folder / "start", FEW_KEYS).home
    existing: list[float] = []
    new: list[float] = []
    for number in range(1, run.starts + 1):
        say(f"Start {number} of {run.starts}.")
        existing.append(_seconds(home))
        new.append(_seconds(run.folder / f"new-{number}"))
    return [
        Figure("Start to first answer", "s", existing, Goal(2, below=True)),
        Figure("Start to first answer, new COMPASS_HOME", "s", new),
    ]


def _seconds(home: Path) -> float:
    port, start = free_port(), time.perf_counter()
    with running(compass_command(port), compass_environment(home)):
        while not _answers(port):
            if time.perf_counter() - start > _GIVE_UP_AFTER:
                raise click.ClickException(f"No answer within {_GIVE_UP_AFTER} s.")
            time.sleep(_ASK_EVERY)
        return time.perf_counter() - start


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_GIVE_UP_AFTER)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
