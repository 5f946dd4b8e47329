"""Browser sessions: one row a login, so that they can be listed and ended."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select, update

from compass.server.core.clock import now
from compass.server.core.models import Session, User
from compass.server.core.tokens import mask
from compass.server.db import brief, db

IDLE_LIMIT = timedelta(days=14)
_SEEN_EVERY = timedelta(minutes=1)


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
            Session.ended_at.is_(None),
            Session.last_seen_at > now() - IDLE_LIMIT,
            User.disabled_at.is_(None),
        )
    )
    if session is not None and session.last_seen_at < now() - _SEEN_EVERY:
        _touch(session)
    return session


def end(session_id: str) -> None:
    db.session.execute(
        update(Session)
        .where(Session.id_hash == _hash(session_id), Session.ended_at.is_(None))
        .values(ended_at=now())
    )


def end_all(user: User, keep: str | None = None) -> None:
    """Ends every session of this user, but the one whose id is `keep`."""
    ending = update(Session).where(Session.user_id == user.id, Session.ended_at.is_(None))
    if keep is not None:
        ending = ending.where(Session.id_hash != _hash(keep))
    db.session.execute(ending.values(ended_at=now()))


def _touch(session: Session) -> None:
    with brief() as connection:
        connection.execute(
            update(Session).where(Session.id_hash == session.id_hash).values(last_seen_at=now())
        )


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
