"""The first start: one link, printed by the server, makes the first administrator."""

import hashlib
import hmac

from sqlalchemy import exists, select

from compass.server.core import audit, users
from compass.server.core.access import Person
from compass.server.core.errors import NotFound
from compass.server.core.models import User
from compass.server.db import db, serialise

PREFIX = "compass_setup_"


def is_open() -> bool:
    """Whether there is no user yet."""
    return not db.session.scalar(select(exists().where(User.id.is_not(None))))


def token(signing_key: str) -> str:
    """Derived rather than stored: every process prints and accepts the same link, and it is
    worthless from the moment that there is a user."""
    mac = hmac.new(signing_key.encode(), b"compass setup token", hashlib.sha256)
    return PREFIX + mac.hexdigest()[:40]


def is_token(presented: str, signing_key: str) -> bool:
    return hmac.compare_digest(presented.encode(), token(signing_key).encode())


def complete(email: str, name: str, password_hash: str, address: str | None) -> User:
    """The first user, an organization admin. Of two at once, the second raises NotFound."""
    serialise(db.session(), "setup")
    if not is_open():
        raise NotFound("Compass is already set up.")
    user = users.add(email, name, password_hash, is_admin=True)
    audit.record(Person(user=user, address=address), "user.created", user, setup=True)
    return user
