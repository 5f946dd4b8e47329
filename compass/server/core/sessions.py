"""Browser sessions: one row a login, so that they can be listed and ended."""

import hashlib
import secrets
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, select, update

from compass.server.core import audit
from compass.server.core.access import Actor, Person
from compass.server.core.clock import now
from compass.server.core.errors import NotFound
from compass.server.core.models import Session, User
from compass.server.core.tokens import mask
from compass.server.db import brief, changed, db

IDLE_LIMIT = timedelta(days=14)
_SEEN_EVERY = timedelta(minutes=1)


class Listed(NamedTuple):
    """A session as its user sees it; `is_own` is the one that is asking."""

    session: Session
    handle: str
    is_own: bool


def start(user: User, address: str | None, user_agent: str | None) -> str:
    """A new session; returns the id that its cookie carries, which is stored only hashed."""
    session_id = secrets.token_urlsafe(32)
    db.session.add(
        Session(
            id_hash=_hash(session_id),
            user_id=user.id,
            address=address,
            user_agent=mask(user_agent or "")[:200],
        )
    )
    return session_id


def find(session_id: str) -> Session | None:
    """The live session with this id, if its user may still sign in."""
    session = db.session.scalar(
        select(Session)
        .join(Session.user)
        .where(
            Session.id_hash == _hash(session_id),
            *_alive(),
            User.disabled_at.is_(None),
        )
    )
    if session is not None and session.last_seen_at < now() - _SEEN_EVERY:
        _touch(session)
    return session


def end(actor: Actor, session_id: str) -> None:
    """Signs out."""
    _end(actor, _hash(session_id))


def live(user: User, session_id: str) -> list[Listed]:
    """Where this user is signed in, the latest first; `session_id` is the one that is asking."""
    query = select(Session).where(Session.user_id == user.id, *_alive())
    found = db.session.scalars(query.order_by(Session.last_seen_at.desc()))
    own = _hash(session_id)
    return [Listed(each, _handle(each.id_hash), each.id_hash == own) for each in found]


def end_one(actor: Person, handle: str) -> None:
    """Ends one of one's own sessions. Again and again is as good. Raises NotFound."""
    mine = select(Session.id_hash).where(Session.user_id == actor.user.id)
    found = [each for each in db.session.scalars(mine) if _handle(each) == handle]
    if not found:
        raise NotFound("There is no such session of yours.")
    _end(actor, found[0])


def end_others(actor: Person, session_id: str) -> int:
    """Ends all of one's own sessions but the one that is asking, and says how many."""
    ended = end_all(actor.user, keep=session_id)
    if ended:
        audit.record(actor, "sessions.ended", actor.user, count=ended)
    return ended


def end_all(user: User, keep: str | None = None) -> int:
    """Ends every session of this user, but the one whose id is `keep`; says how many."""
    ending = update(Session).where(Session.user_id == user.id, Session.ended_at.is_(None))
    if keep is not None:
        ending = ending.where(Session.id_hash != _hash(keep))
    return changed(ending.values(ended_at=now()))


def _end(actor: Actor, id_hash: str) -> None:
    ending = update(Session).where(Session.id_hash == id_hash, Session.ended_at.is_(None))
    if changed(ending.values(ended_at=now())):
        audit.record(actor, "session.ended", actor.user if isinstance(actor, Person) else None)


def _alive() -> tuple[ColumnElement[bool], ...]:
    return (Session.ended_at.is_(None), Session.last_seen_at > now() - IDLE_LIMIT)


def _handle(id_hash: str) -> str:
    """What a page calls a session: enough to tell a person's sessions apart."""
    return id_hash[:16]


def _touch(session: Session) -> None:
    with brief() as connection:
        connection.execute(
            update(Session).where(Session.id_hash == session.id_hash).values(last_seen_at=now())
        )


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
