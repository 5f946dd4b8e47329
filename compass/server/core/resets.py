"""Password resets: a one-time link that an administrator hands out, since no mail is sent."""

from datetime import timedelta

from sqlalchemy import delete, select

from compass.server.core import access, audit, one_time, users
from compass.server.core.access import Actor, Person
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Gone, NotFound
from compass.server.core.models import PasswordReset, User
from compass.server.db import changed, db

LIFETIME = timedelta(hours=24)


def create(actor: Actor, user: User) -> str:
    """The token, in place of any before it. It is nowhere else, and can't be had again.

    Raises Forbidden, and Conflict for somebody who may not sign in.
    """
    access.require_lasting_organization_admin(actor)
    db.session.refresh(user)
    if user.disabled_at is not None:
        raise Conflict(f"{user.name} is disabled. Enable the account first.")
    token, moment = one_time.mint(), now()
    db.session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
    db.session.add(
        PasswordReset(
            user_id=user.id,
            token_hash=one_time.digest(token),
            creator_id=actor.id if isinstance(actor, Person) else None,
            created_at=moment,
            expires_at=moment + LIFETIME,
        )
    )
    audit.record(actor, "user.reset_link_created", user)
    return token


def find(token: str) -> PasswordReset:
    """The reset that can be made with this. Raises NotFound, and Gone for one that is too old."""
    digest = one_time.digest(token)
    found = select(PasswordReset).where(PasswordReset.token_hash == digest)
    reset = db.session.scalar(found) if digest else None
    if reset is None:
        raise NotFound("This link is not known here, or was used already. Ask for a new one.")
    if reset.expires_at <= now():
        raise Gone("This link has expired. Ask for a new one.")
    if reset.user.disabled_at is not None:
        raise Gone("This account is disabled. Ask an administrator of this installation.")
    return reset


def use(token: str, password_hash: str, address: str | None) -> User:
    """Sets the password of the link's user. Of two at once, the second raises NotFound or Gone."""
    user = find(token).user
    used = delete(PasswordReset).where(PasswordReset.token_hash == one_time.digest(token))
    if not changed(used.execution_options(synchronize_session=False)):
        raise Gone("This link was used already.")
    users.set_password(Person(user=user, address=address), user, password_hash)
    return user
