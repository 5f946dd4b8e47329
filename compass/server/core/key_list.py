"""The list of keys that an actor may see: filtered, searched, in pages."""

import re
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from compass.server.core import access, rows
from compass.server.core.access import Action, Actor
from compass.server.core.clock import now
from compass.server.core.keys import WITH_PEOPLE
from compass.server.core.models import EXPIRY_WARNING, Key, KeySecret, KeyStatus, User
from compass.server.core.text import like_escaped
from compass.server.db import db

PAGE_SIZE = 50
# What can be part of one.
_HINT = re.compile(r"[0-9A-Za-z_…]+")


@dataclass(frozen=True)
class Filter:
    """Blank members do not filter. `q` is looked for in the name, the hint and the owner."""

    project_id: str = ""
    status: KeyStatus | None = None
    q: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.project_id or self.status or self.q)


@dataclass(frozen=True)
class Page:
    """`number` counts from 1 and is always one that exists."""

    keys: list[Key]
    number: int
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_SIZE))


def page(actor: Actor, wanted: Filter, number: int) -> Page:
    """Newest first. In place of a page past the last one, the last one."""
    where = [access.visible(actor), *_conditions(wanted)]
    number = max(1, number)
    count = select(func.count(Key.id)).where(*where).scalar_subquery()
    # A search looks at every key in view: once. The rest an index counts faster.
    total = func.count().over() if wanted.q else count
    newest = select(Key.id, total.label("total")).where(*where).order_by(Key.id.desc())
    newest = newest.limit(PAGE_SIZE)
    found = db.session.execute(newest.offset((number - 1) * PAGE_SIZE)).all()
    if not found and number > 1:
        last = -(-(db.session.scalar(select(count)) or 0) // PAGE_SIZE)
        return page(actor, wanted, last)
    query = select(Key).where(Key.id.in_([row.id for row in found])).order_by(Key.id.desc())
    keys = list(db.session.scalars(query.options(*WITH_PEOPLE))) if found else []
    return Page(keys=keys, number=number, total=found[0].total if found else 0)


def expiring(actor: Actor) -> Page:
    """The keys that expire soon and that this actor can do something about; first the first."""
    where = [
        access.within_reach(actor, Action.ROTATE_KEY),
        _has_status(KeyStatus.ACTIVE),
        Key.expires_at <= now() + EXPIRY_WARNING,
    ]
    keys = list(db.session.scalars(select(Key).where(*where).order_by(Key.expires_at).limit(4)))
    total = db.session.scalar(select(func.count(Key.id)).where(*where)) if len(keys) > 3 else None
    return Page(keys=keys[:3], number=1, total=total or len(keys))


def after(actor: Actor, cursor: str | None, limit: int) -> tuple[list[Key], str | None]:
    """Newest first, from the one after `cursor` (a key's id) on; and the next cursor."""
    query = select(Key).where(access.visible(actor)).options(*WITH_PEOPLE)
    return rows.after(query, Key.id, cursor, limit)


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.project_id:
        conditions.append(Key.project_id == wanted.project_id)
    if wanted.status:
        conditions.append(_has_status(wanted.status))
    if wanted.q:
        pattern = f"%{like_escaped(wanted.q)}%"
        owners = select(User.id).where(
            or_(User.name.ilike(pattern, escape="\\"), User.email.ilike(pattern, escape="\\"))
        )
        places: list[ColumnElement[bool]] = [
            Key.name.ilike(pattern, escape="\\"),
            Key.owner_id.in_(owners),
        ]
        if _HINT.fullmatch(wanted.q):
            # Of the keys in view alone, however many others there are.
            its_secrets = select(KeySecret.id).where(KeySecret.key_id == Key.id)
            places.append(exists(its_secrets.where(KeySecret.hint.like(pattern, escape="\\"))))
        conditions.append(or_(*places))
    return conditions


def _has_status(status: KeyStatus) -> ColumnElement[bool]:
    alive, expired = Key.revoked_at.is_(None), Key.expires_at <= now()
    return {
        KeyStatus.REVOKED: Key.revoked_at.is_not(None),
        KeyStatus.EXPIRED: and_(alive, expired),
        KeyStatus.ACTIVE: and_(alive, or_(Key.expires_at.is_(None), Key.expires_at > now())),
    }[status]
