"""Rows of the record, in bulk: some years of what many people do."""

import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from bench.rows import stored
from compass.server.core.audit_log import PAGE_SIZE
from compass.server.core.clock import now
from compass.server.core.ids import lowest

_EVENT = """
    INSERT INTO audit_events (id, at, action, actor_type, actor_id, actor_name, target_type,
                              target_id, target_name, project_id, address, details)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '192.0.2.1', ?)
"""
_INDEXES = """
    SELECT name, sql FROM sqlite_master WHERE tbl_name = 'audit_events' AND sql LIKE 'CREATE INDEX%'
"""
# So that each has many.
_BUSY_KEYS = "SELECT id, name, project_id FROM keys ORDER BY id LIMIT 500"
_DEEP = "SELECT id FROM audit_events {} ORDER BY id DESC LIMIT 1 OFFSET ?"
_ADMIN = """
    INSERT INTO memberships (user_id, project_id, role, created_at)
    SELECT users.id, projects.id, 'admin', users.created_at FROM users, projects WHERE email = ?
"""
_BATCH = 20_000
EVERY = timedelta(seconds=90)
_RANDOM = "0123456789abcdefghijklmnopqrstuv"

# What only the first thousand events are.
RARE = "project.created"
_FIRST = 1000
_OF_KEYS = {"key.created": {"days": 90}, "key.renamed": {"old_name": "Before"}, "key.revoked": {}}
_SIGN_INS = ("login.succeeded", "login.succeeded", "login.failed")

Row = tuple[str | None, ...]


@dataclass(frozen=True)
class Made:
    """What to ask for: a project, a key, and the last event of the page before the thousandth."""

    project: str
    key: str
    thousandth: str
    thousandth_of_projects: str


def email_of(number: int) -> str:
    return f"person{number:02}@example.org"


def insert(connection: sqlite3.Connection, count: int) -> Made:
    """One every minute and a half until now. Indexes are made anew at the end: that is faster."""
    indexes = connection.execute(_INDEXES).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    people = connection.execute("SELECT id, name FROM users WHERE email LIKE 'person%'").fetchall()
    projects = connection.execute("SELECT id, name FROM projects").fetchall()
    keys = connection.execute(_BUSY_KEYS).fetchall()
    start = now() - EVERY * count
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        connection.executemany(_EVENT, _rows(people, projects, keys, start, numbers))
    for _, sql in indexes:
        connection.execute(sql)
    offset = (999 * PAGE_SIZE - 1,)
    return Made(
        project=keys[0][2],
        key=keys[0][0],
        thousandth=connection.execute(_DEEP.format(""), offset).fetchone()[0],
        thousandth_of_projects=connection.execute(
            _DEEP.format("WHERE project_id IS NOT NULL"), offset
        ).fetchone()[0],
    )


def make_admin_of_all(connection: sqlite3.Connection, email: str) -> None:
    """Of each project by itself, not of the organization."""
    connection.execute(_ADMIN, (email,))


def _rows(
    people: list[Row], projects: list[Row], keys: list[Row], start: datetime, numbers: range
) -> Iterator[Row]:
    """Half of them about keys, half of them sign-ins."""
    for number in numbers:
        at = start + EVERY * number
        event = lowest("evt", at)[:-12] + "".join(random.choices(_RANDOM, k=12))
        who, name = random.choice(people)
        if number < _FIRST:
            project, named = random.choice(projects)
            target: Row = ("project", project, named, project)
            action, details = RARE, "{}"
        elif number % 2:
            target = ("user", who, name, None)
            action, details = random.choice(_SIGN_INS), "{}"
        else:
            target = ("key", *random.choice(keys))
            action, more = random.choice(list(_OF_KEYS.items()))
            details = json.dumps(more)
        actor = ("nobody", "nobody", "") if action == "login.failed" else ("user", who, name)
        yield (event, stored(at), action, *actor, *target, details)
