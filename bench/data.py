"""Compass's databases, filled straight: a million keys by the front door would take hours.

The schema and the administrator are made by `compass-server`. Every key is a valid one, and
only its digest and hint are stored, as Compass itself does.
"""

import random
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import rows
from bench.load import LOAD_KEYS
from tests.servers import COMMAND, clean_environment

ADMIN, PASSWORD = "ada@example.org", "correct horse battery staple"
PROJECTS, PEOPLE = 100, 20
_BATCH = 10_000
# Only while it is filled: nothing of it is to survive a crash. The cache is in KiB.
_FAST = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000")


@dataclass(frozen=True)
class Database:
    """A COMPASS_HOME, and a file with the Authorization headers of some of its keys."""

    home: Path
    headers: Path


def make(home: Path, keys: int, varied: bool = False) -> Database:
    """`varied`: with personal, revoked, used and expiring keys among them, for the pages."""
    environment = clean_environment(COMPASS_HOME=str(home))
    _command(environment, "db", "upgrade")
    add_person(home, ADMIN, "Ada", "--admin")
    sample = set(random.sample(range(keys), min(keys, LOAD_KEYS)))
    secrets: list[str] = []
    with filling(home) as connection:
        world = rows.insert_world(connection, PEOPLE, PROJECTS)
        for start in range(0, keys, _BATCH):
            numbers = range(start, min(start + _BATCH, keys))
            made = rows.insert_keys(connection, world, numbers, varied)
            secrets += [made[number - start] for number in numbers if number in sample]
    headers = home / "headers"
    headers.write_text("".join(f"Bearer {secret}\n" for secret in secrets))
    return Database(home, headers)


def add_person(home: Path, email: str, name: str, *options: str) -> None:
    """Somebody who can sign in with PASSWORD."""
    environment = clean_environment(COMPASS_HOME=str(home))
    _command(environment, "users", "create", email, "--name", name, "--password-stdin", *options)


@contextmanager
def filling(home: Path) -> Iterator[sqlite3.Connection]:
    """One transaction, as fast as can be."""
    with closing(sqlite3.connect(home / "compass.db", isolation_level=None)) as connection:
        for pragma in _FAST:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")


def _command(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run(
        [*COMMAND, *arguments],
        env=environment,
        input=f"{PASSWORD}\n",
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
