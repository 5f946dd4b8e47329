"""People: who they are, and whether they may sign in."""

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from compass.server.core import audit, sessions, throttle
from compass.server.core.access import Actor
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Findings, Invalid, NotFound
from compass.server.core.models import User
from compass.server.core.text import clean_email, clean_name, folded, is_hidden
from compass.server.db import db, is_duplicate, serialise


def add(email: str, name: str, password_hash: str, is_admin: bool) -> User:
    """A new user, not yet recorded by anyone. Raises Invalid."""
    email, name = clean(email, name)
    user = User(email=email, name=name, password_hash=password_hash, is_admin=is_admin)
    db.session.add(user)
    try:
        db.session.flush()
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        raise Invalid(email=f"There is already an account for {user.email}.") from None
    return user


def clean(email: str, name: str) -> tuple[str, str]:
    """Both as they will be kept. Raises Invalid, with all that is wrong with either."""
    wrong = Findings()
    with wrong:
        email = clean_email(email)
    with wrong:
        name = clean_name(name, "name", "this person")
    wrong.settle()
    return email, name


def create(actor: Actor, email: str, name: str, password_hash: str, is_admin: bool) -> User:
    """Raises Invalid."""
    user = add(email, name, password_hash, is_admin)
    audit.record(actor, "user.created", user, admin=is_admin)
    return user


def find(email: str) -> User | None:
    """Whoever has this address, however it was typed."""
    address = folded(email).casefold()
    if any(is_hidden(char) for char in address):
        return None
    return db.session.scalar(select(User).where(User.email == address))


def by_email(email: str) -> User:
    """Raises NotFound."""
    user = find(email)
    if user is None:
        raise NotFound(f"There is no account for {email}.")
    return user


def everyone() -> list[User]:
    return list(db.session.scalars(select(User).order_by(User.email)))


def rename(actor: Actor, user: User, name: str) -> None:
    """Raises Invalid."""
    new = clean_name(name, "name", "yourself")
    if new != user.name:
        user.name = new
        audit.record(actor, "user.renamed", user)


def set_password(actor: Actor, user: User, password_hash: str, keep: str | None = None) -> None:
    """Also ends the user's sessions, but the one whose id is `keep`, and unlocks the account."""
    user.password_hash = password_hash
    sessions.end_all(user, keep=keep)
    throttle.clear_account(user.email)
    audit.record(actor, "user.password_changed", user)


def disable(actor: Actor, user: User) -> None:
    """Their sessions end and their tokens stop. Raises Conflict for the last administrator."""
    _keep_one_admin(user)
    if user.disabled_at is None:
        user.disabled_at = now()
        sessions.end_all(user)
        audit.record(actor, "user.disabled", user)


def enable(actor: Actor, user: User) -> None:
    if user.disabled_at is not None:
        user.disabled_at = None
        audit.record(actor, "user.enabled", user)


def promote(actor: Actor, user: User) -> None:
    if not user.is_admin:
        user.is_admin = True
        audit.record(actor, "user.promoted", user)


def demote(actor: Actor, user: User) -> None:
    """Raises Conflict for the last administrator."""
    _keep_one_admin(user)
    if user.is_admin:
        user.is_admin = False
        audit.record(actor, "user.demoted", user)


def admins() -> list[User]:
    """The active organization admins."""
    return list(
        db.session.scalars(
            select(User).where(User.is_admin, User.disabled_at.is_(None)).order_by(User.name)
        )
    )


def _keep_one_admin(user: User) -> None:
    serialise(db.session(), "admins")
    db.session.refresh(user)
    if not user.is_admin or user.disabled_at is not None:
        return
    others = select(func.count()).where(
        User.is_admin, User.disabled_at.is_(None), User.id != user.id
    )
    if not db.session.scalar(others):
        raise Conflict(
            f"{user.email} is the last active administrator. Make somebody else one first."
        )
