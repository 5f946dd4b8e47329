"""Signing in, in three steps, so that no transaction waits for argon2.

claim the attempt · check the password · record how it went
"""

from sqlalchemy import select

from compass.server.core import audit, passwords, sessions, throttle
from compass.server.core.access import Nobody, Person
from compass.server.core.models import User
from compass.server.db import db


def claim(email: str, address: str) -> None:
    """Raises Throttled."""
    throttle.claim(_fold(email), address)


def check(email: str, password: str) -> User | None:
    """The user whose password this is, if they may sign in. Slow, and outside transactions."""
    user = _find(email)
    db.session.rollback()
    stored = user.password_hash if user and user.disabled_at is None else None
    return user if passwords.verify(stored, password) else None


def fail(email: str, address: str) -> None:
    """Records a wrong password. An address nobody has is not kept: it may be a password."""
    audit.record(Nobody(address=address), "login.failed", _find(email))


def succeed(user: User, new_hash: str | None, address: str, user_agent: str | None) -> str:
    """Starts the session and returns its id."""
    throttle.clear(user.email, address)
    if new_hash is not None:
        user.password_hash = new_hash
    audit.record(Person(user=user, address=address), "login.succeeded", user)
    return sessions.start(user, address, user_agent)


def _find(email: str) -> User | None:
    return db.session.scalar(select(User).where(User.email == _fold(email)))


def _fold(email: str) -> str:
    return email.strip().casefold()
