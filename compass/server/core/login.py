"""Signing in, in three steps, so that no transaction waits for argon2.

claim the attempt · check the password · record how it went
"""

from dataclasses import dataclass, field

from sqlalchemy import select

from compass.server.core import audit, passwords, sessions, throttle, users
from compass.server.core.access import Nobody, Person
from compass.server.core.models import User
from compass.server.core.text import same_address
from compass.server.db import db


@dataclass(frozen=True)
class Proof:
    """That somebody knew the password which this hash is of."""

    user_id: str
    password_hash: str = field(repr=False)
    renewed_hash: str | None = field(default=None, repr=False)


def claim(email: str, address: str) -> None:
    """Raises Throttled."""
    user = users.find(email)
    throttle.claim(same_address(email), user.id if user else None, address)


def check(email: str, password: str) -> Proof | None:
    """Whose password this is, if they may sign in. Slow, and outside transactions."""
    user = users.find(email)
    stored = user.password_hash if user and user.disabled_at is None else None
    user_id = user.id if user else ""
    db.session.rollback()
    if not passwords.verify(stored, password) or stored is None:
        return None
    renewed = passwords.renew(stored, password)
    return Proof(user_id=user_id, password_hash=stored, renewed_hash=renewed)


def accept(proof: Proof) -> User | None:
    """The user, if the password is still theirs: it may have changed while it was checked.

    Locks the row until the transaction ends, so that a change of the password comes before
    (and is seen here) or after (and ends the session that follows from this).
    """
    user = db.session.scalar(select(User).where(User.id == proof.user_id).with_for_update())
    if user is None or user.disabled_at is not None or user.password_hash != proof.password_hash:
        return None
    return user


def fail(email: str, address: str, actor: Person | None = None) -> None:
    """Records a wrong password, `actor`'s if they are signed in. An address nobody has is not kept:
    it may be a password."""
    audit.record(actor or Nobody(address=address), "login.failed", users.find(email))


def succeed(user: User, renewed_hash: str | None, address: str, user_agent: str | None) -> str:
    """Starts the session and returns its id."""
    throttle.clear(user.email, address)
    if renewed_hash is not None:
        user.password_hash = renewed_hash
    audit.record(Person(user=user, address=address), "login.succeeded", user)
    return sessions.start(user, address, user_agent)
