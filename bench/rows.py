"""Rows of Compass's tables, in bulk."""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from compass.server.core import tokens
from compass.server.core.clock import now
from compass.server.core.ids import new_id

_USER = """
    INSERT INTO users (id, email, name, password_hash, is_admin, created_at)
    VALUES (?, ?, ?, '', 0, ?)
"""
_PROJECT = "INSERT INTO projects (id, name, description, created_at) VALUES (?, ?, '', ?)"
_MEMBERSHIP = """
    INSERT INTO memberships (user_id, project_id, role, created_at) VALUES (?, ?, 'member', ?)
"""
_KEY = """
    INSERT INTO keys (id, project_id, name, type, role, owner_id, creator_id, created_at,
                      expires_at, revoked_at, revoker_id)
    VALUES (?, ?, ?, ?, 'member', ?, ?, ?, ?, ?, ?)
"""
_SECRET = """
    INSERT INTO key_secrets (key_id, digest, hint, created_at, last_used_at, last_used_address)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_VALID = timedelta(days=90)
# Random characters of a secret.
_BODY = 40


@dataclass(frozen=True)
class World:
    """The ids of what keys belong to."""

    admin: str
    people: list[str]
    projects: list[str]


def insert_world(connection: sqlite3.Connection, people: int, projects: int) -> World:
    """Everybody is in every project. No password fits theirs: nobody signs in as them."""
    admin = connection.execute("SELECT id FROM users").fetchone()[0]
    world = World(
        admin, [new_id("usr") for _ in range(people)], [new_id("prj") for _ in range(projects)]
    )
    at = stored(now())
    users = [
        (user, f"person{number:02}@example.org", f"Person {number:02}", at)
        for number, user in enumerate(world.people)
    ]
    named = [(each, f"Project {number:03}", at) for number, each in enumerate(world.projects)]
    memberships = [(user, project, at) for user in world.people for project in world.projects]
    connection.executemany(_USER, users)
    connection.executemany(_PROJECT, named)
    connection.executemany(_MEMBERSHIP, memberships)
    return world


def name_of(number: int) -> str:
    """All equally long, so that all answers are."""
    return f"CI pipeline {number:07}"


def insert_keys(
    connection: sqlite3.Connection, world: World, numbers: range, varied: bool
) -> list[str]:
    """The keys' secrets, in order."""
    ids = [new_id("key") for _ in numbers]
    secrets = [_mint(_kind(number, varied)) for number in numbers]
    keys = _varied if varied else _plain
    connection.executemany(_KEY, keys(world, numbers, ids))
    used = [varied and number % 2 == 0 for number in numbers]
    connection.executemany(_SECRET, _secrets(ids, secrets, used))
    return secrets


def _plain(world: World, numbers: range, ids: list[str]) -> Iterator[tuple[str | None, ...]]:
    """Live service accounts that never expire."""
    at = stored(now())
    for number, key in zip(numbers, ids, strict=True):
        project = world.projects[number % len(world.projects)]
        name = name_of(number)
        yield (key, project, name, "service_account", None, world.admin, at, None, None, None)


def _varied(world: World, numbers: range, ids: list[str]) -> Iterator[tuple[str | None, ...]]:
    """One in four is personal, one in five expires, one in ten is revoked."""
    at, end = stored(now()), stored(now() + _VALID)
    for number, key in zip(numbers, ids, strict=True):
        # Not the number itself: all personal ones would be in a quarter of the projects.
        project = world.projects[number // 4 % len(world.projects)]
        kind = _kind(number, varied=True)
        owner = world.people[number // 4 % len(world.people)] if kind == "personal" else None
        expires = end if number % 5 == 0 else None
        revoked, revoker = (at, world.admin) if number % 10 == 1 else (None, None)
        creator = owner or world.admin
        yield (key, project, name_of(number), kind, owner, creator, at, expires, revoked, revoker)


def _secrets(
    ids: list[str], secrets: list[str], used: list[bool]
) -> Iterator[tuple[str | None, ...]]:
    at = stored(now())
    for key, secret, was_used in zip(ids, secrets, used, strict=True):
        use = (at, "192.0.2.1") if was_used else (None, None)
        yield (key, tokens.digest(secret), tokens.hint(secret), at, *use)


def _kind(number: int, varied: bool) -> str:
    return "personal" if varied and number % 4 == 0 else "service_account"


def _mint(kind: str) -> str:
    """As tokens.mint does, but from a generator that is ten times as fast and no secret."""
    start = tokens.PREFIXES[kind] + "".join(random.choices(tokens.ALPHABET, k=_BODY))
    return start + tokens.checksum(start)


def stored(moment: datetime) -> str:
    """As SQLAlchemy writes it into SQLite: UTC, without saying so."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
