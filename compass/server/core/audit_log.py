"""The record, read: filtered, in pages, and as a stream.

Ids sort by time, so a page begins at an id, a span of time is a range of ids, and nothing is ever
counted. What is asked for is split into arms, none of which has an event of another: each is read
off one index in the order of ids, and the database merges them. However many events there are,
no more of an arm is looked at than can be shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    func,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from compass.server.core import access, keys, users
from compass.server.core.access import Person
from compass.server.core.errors import Forbidden
from compass.server.core.ids import is_id, lowest
from compass.server.core.models import AuditEvent, Key, KeySecret, Membership, Project, Role, User
from compass.server.core.text import folded, is_hidden
from compass.server.db import db

PAGE_SIZE = 50
BATCH = 500

# Those who act without an id, as people call them → as the record does.
WITHOUT_ID = {"compass-server": "operator", "nobody": "nobody"}

# To choose from; others are typed.
_SUGGESTED = 100
# SQLite joins at most 500 selects.
_ARMS_AT_ONCE = 100
# Of one name. They have few events each, so that those of all are soon sorted.
_KEYS_OF_A_NAME = 500

Conditions = list[ColumnElement[bool]]
Ids = TypeVar("Ids", Select[str], CompoundSelect[str])


@dataclass(frozen=True)
class Filter:
    """Blank members do not filter.

    `actor` is an id, an email address, a person's or key's name, or a word of WITHOUT_ID; `key`
    an id, a name or a hint. From `since` on, until before `until`.
    """

    actor: str = ""
    action: str = ""
    project_id: str = ""
    key: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_blank(self) -> bool:
        return self == Filter()


@dataclass(frozen=True)
class Page:
    """Newest first. `newer` and `older` are cursors, None where there are no such events."""

    events: list[AuditEvent]
    newer: str | None
    older: str | None


@dataclass(frozen=True)
class _Meant:
    """Whom and which keys a filter's words mean; None for any."""

    people: list[str] | None
    acting_keys: list[str]
    keys: list[str] | None

    @property
    def actors(self) -> list[str] | None:
        return None if self.people is None else self.people + self.acting_keys


def may_open(actor: Person) -> bool:
    """Whether there is a part of the record that they may see."""
    projects = _projects(actor)
    return projects is None or bool(projects)


def scope(actor: Person) -> list[str] | None:
    """The projects whose events they may see now; None: all events. Raises Forbidden."""
    projects = _projects(actor)
    if projects == []:
        raise Forbidden(
            "Only administrators can see the audit log: all of it, or that of their projects. "
            f"Ask {keys.names(users.admins())}."
        )
    return projects


def visible_projects(actor: Person) -> list[Project]:
    """The projects to choose from, by name. Raises Forbidden."""
    query, places = select(Project).order_by(Project.name), scope(actor)
    return list(
        db.session.scalars(query if places is None else query.where(Project.id.in_(places)))
    )


def people(actor: Person) -> list[User]:
    """Some to choose from, by name: everybody, or who is in one of their projects.

    Raises Forbidden.
    """
    query, places = select(User).order_by(User.name).limit(_SUGGESTED), scope(actor)
    if places is not None:
        members = select(Membership.user_id).where(Membership.project_id.in_(places))
        query = query.where(User.id.in_(members))
    return list(db.session.scalars(query))


def page(actor: Person, wanted: Filter, before: str = "", after: str = "") -> Page:
    """The events before or after this id, else the newest; and so where there are none there.

    Raises Forbidden.
    """
    arms = _arms(scope(actor), _meant(actor, wanted), wanted)
    if after:
        ids = _ids(arms, PAGE_SIZE + 1, after=after)
        # Of less than a page the newest one is the whole.
        if len(ids) >= PAGE_SIZE:
            shown = ids[PAGE_SIZE - 1 :: -1]
            return Page(_events(shown), shown[0] if len(ids) > PAGE_SIZE else None, shown[-1])
    ids = _ids(arms, PAGE_SIZE + 1, before=before)
    if before and not ids:
        return page(actor, wanted)
    shown, more = ids[:PAGE_SIZE], len(ids) > PAGE_SIZE
    return Page(_events(shown), shown[0] if before else None, shown[-1] if more else None)


def stream(actor: Person, wanted: Filter) -> Iterator[list[AuditEvent]]:
    """All of them, newest first, in batches: each read by itself, and only while they still may.

    Between two batches nothing is kept and no transaction is open, however long that takes.
    Raises Forbidden.
    """
    meant, before = _meant(actor, wanted), ""
    while True:
        events = _events(_ids(_arms(scope(actor), meant, wanted), BATCH, before=before))
        for event in events:
            db.session.expunge(event)
        db.session.rollback()
        if events:
            yield events
        if len(events) < BATCH:
            return
        before = events[-1].id


def keys_to_link(actor: Person, events: list[AuditEvent]) -> set[str]:
    """The ids of those keys in these events that are still there for them to see."""
    named = {each or "" for event in events for each in (event.actor_id, event.target_id)}
    ids = [each for each in named if is_id(each, "key")]
    return set(db.session.scalars(select(Key.id).where(Key.id.in_(ids), access.visible(actor))))


def emails(events: list[AuditEvent]) -> dict[str, str]:
    """User id → address, of those who did these."""
    ids = {event.actor_id for event in events if event.actor_type == "user"}
    query = select(User.id, User.email).where(User.id.in_(ids))
    return {row.id: row.email for row in db.session.execute(query)}


def _projects(actor: Person) -> list[str] | None:
    """Asked of the database each time: a stream goes on for long, and what they are may end."""
    user = db.session.execute(
        select(User.is_admin, User.disabled_at).where(User.id == actor.id)
    ).one()
    if user.disabled_at is not None:
        return []
    if user.is_admin:
        return None
    administered = select(Membership.project_id).where(
        Membership.user_id == actor.id, Membership.role == Role.ADMIN
    )
    return list(db.session.scalars(administered))


def _meant(actor: Person, wanted: Filter) -> _Meant:
    people, acting_keys = _called(actor, wanted.actor) if wanted.actor else (None, [])
    return _Meant(people, acting_keys, _keys_called(actor, wanted.key) if wanted.key else None)


def _called(actor: Person, words: str) -> tuple[list[str], list[str]]:
    """The ids of people, and of keys, that these words mean."""
    name = folded(words)
    if any(map(is_hidden, name)):
        return [], []
    if is_id(name, "usr"):
        return [name], []
    without_id = [WITHOUT_ID[name]] if name in WITHOUT_ID else []
    their_own = or_(User.email == name.casefold(), func.lower(User.name) == func.lower(name))
    people = db.session.scalars(select(User.id).where(their_own))
    return [*without_id, *people], _keys_called(actor, name)


def _keys_called(actor: Person, words: str) -> list[str]:
    name = folded(words)
    if any(map(is_hidden, name)):
        return []
    if is_id(name, "key"):
        return [name]
    hinted = select(KeySecret.key_id).where(KeySecret.hint == name)
    query = select(Key.id).where(or_(Key.name == name, Key.id.in_(hinted)), access.visible(actor))
    return list(db.session.scalars(query.order_by(Key.id.desc()).limit(_KEYS_OF_A_NAME)))


def _arms(places: list[str] | None, meant: _Meant, wanted: Filter) -> list[Select[str]]:
    """Selects of ids that have none in common, and together all that is wanted."""
    if wanted.project_id:
        seen = places is None or wanted.project_id in places
        places = [wanted.project_id] if seen else []
    if meant.keys is not None:
        return list(_of_keys(meant.keys, meant.actors, places, wanted))
    where = [[]] if places is None else [[AuditEvent.project_id == each] for each in places]
    who = [[]] if meant.people is None else [[AuditEvent.actor_id == each] for each in meant.people]
    if meant.acting_keys:
        who.append([AuditEvent.actor_id.in_(meant.acting_keys)])
    always = _between(wanted)
    if wanted.action:
        always.append(AuditEvent.action == wanted.action)
    return [select(AuditEvent.id).where(*a, *b, *always) for a, b in product(where, who)]


def _of_keys(
    keys: list[str], actors: list[str] | None, places: list[str] | None, wanted: Filter
) -> Iterator[Select[str]]:
    """What was done to these keys, and what they did to something else.

    That is so little that all of it can be looked through. No index is to be used but that of the
    key: a database that can't tell might begin with the action, or go through all events by id.
    """
    always = _between(wanted)
    if wanted.action:
        always.append(_unindexed(AuditEvent.action) == wanted.action)
    if places is not None:
        always.append(_unindexed(AuditEvent.project_id).in_(places))
    chosen = select(_unindexed(AuditEvent.id).label("id")).where(*always)
    done_to = AuditEvent.target_id.in_(keys)
    by_them = true() if actors is None else _unindexed(AuditEvent.actor_id).in_(actors)
    yield chosen.where(done_to, by_them)
    acting = keys if actors is None else [each for each in keys if each in actors]
    others = or_(AuditEvent.target_id.is_(None), _unindexed(AuditEvent.target_id).not_in(keys))
    yield chosen.where(AuditEvent.actor_id.in_(acting), others)


def _unindexed(column: InstrumentedAttribute[Any]) -> ColumnElement[str]:
    """The same text, but by no index."""
    return column.concat("")


def _between(wanted: Filter) -> Conditions:
    conditions = []
    if wanted.since:
        conditions.append(AuditEvent.id >= lowest("evt", wanted.since))
    if wanted.until:
        conditions.append(AuditEvent.id < lowest("evt", wanted.until))
    return conditions


def _ids(arms: list[Select[str]], limit: int, before: str = "", after: str = "") -> list[str]:
    """The newest first; with `after`, the oldest after it first."""
    if before:
        arms = [arm.where(AuditEvent.id < before) for arm in arms]
    elif after:
        arms = [arm.where(AuditEvent.id > after) for arm in arms]
    found: list[str] = []
    for start in range(0, len(arms), _ARMS_AT_ONCE):
        query = _merged(arms[start : start + _ARMS_AT_ONCE], limit, forwards=bool(after))
        found += db.session.scalars(query)
    return sorted(found, reverse=not after)[:limit]


def _merged(
    arms: list[Select[str]], limit: int, forwards: bool
) -> Select[str] | CompoundSelect[str]:
    """SQLite reads of each arm only what it takes; PostgreSQL, untold, would sort all of them."""
    if len(arms) == 1:
        return _ends(arms[0], limit, forwards)
    if db.session().get_bind().dialect.name == "postgresql":
        return _ends(union_all(*(_ends(arm, limit, forwards) for arm in arms)), limit, forwards)
    return _ends(union_all(*arms), limit, forwards)


def _ends(query: Ids, limit: int, forwards: bool) -> Ids:
    by_id = query.selected_columns.id
    return query.order_by(by_id.asc() if forwards else by_id.desc()).limit(limit)


def _events(ids: list[str]) -> list[AuditEvent]:
    query = select(AuditEvent).where(AuditEvent.id.in_(ids)).order_by(AuditEvent.id.desc())
    return list(db.session.scalars(query)) if ids else []
