"""Finds events by their filters, in a time that does not grow with the record.

Ids sort by time, so a page begins at an id, a span of time is a range of ids, and nothing is ever
counted. What is asked for is split into arms, none of which has an event of another: each is read
off one index in the order of ids, and the database merges them. However many events there are, no
more of an arm is looked at than can be shown.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, CompoundSelect, Select, or_, select, true, union_all
from sqlalchemy.orm import InstrumentedAttribute

from compass.server.core.audit_filter import Filter, Meant
from compass.server.core.ids import lowest
from compass.server.core.models import AuditEvent
from compass.server.db import db

# SQLite joins at most 500 selects.
_ARMS_AT_ONCE = 100

Conditions = list[ColumnElement[bool]]
Ids = TypeVar("Ids", Select[str], CompoundSelect[str])


def arms(places: list[str] | None, which: Meant, wanted: Filter) -> list[Select[str]]:
    """Selects of ids that have none in common, and together all that is wanted."""
    if wanted.project_id:
        seen = places is None or wanted.project_id in places
        places = [wanted.project_id] if seen else []
    if which.keys is not None:
        return list(_of_keys(which.keys, which.actors, places, wanted))
    where = [[]] if places is None else [[AuditEvent.project_id == each] for each in places]
    who = [[]] if which.people is None else [[AuditEvent.actor_id == each] for each in which.people]
    if which.acting_keys:
        who.append([AuditEvent.actor_id.in_(which.acting_keys)])
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


def ids(arms: list[Select[str]], limit: int, before: str = "", after: str = "") -> list[str]:
    """The newest first; with `after`, the oldest after it first."""
    if before:
        arms = [arm.where(AuditEvent.id < before) for arm in arms]
    elif after:
        arms = [arm.where(AuditEvent.id > after) for arm in arms]
    found: list[str] = []
    for start in range(0, len(arms), _ARMS_AT_ONCE):
        query = merged(arms[start : start + _ARMS_AT_ONCE], limit, forwards=bool(after))
        found += db.session.scalars(query)
    return sorted(found, reverse=not after)[:limit]


def merged(
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
