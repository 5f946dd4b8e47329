"""People: who they are, and whether they may sign in."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update

from compass.server.core import access, audit, sessions, throttle
from compass.server.core.access import Actor
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Findings, Invalid, NotFound
from compass.server.core.ids import is_id
from compass.server.core.models import Invitation, PasswordReset, Session, User
from compass.server.core.rows import unique
from compass.server.core.text import (
    clean_email,
    clean_name,
    folded,
    is_hidden,
    like_escaped,
    same_address,
)
from compass.server.db import changed, db, serialise

PAGE_SIZE = 50


def add(email: str, name: str, password_hash: str, is_admin: bool) -> User:
    """A new user, not yet recorded by anyone. Raises Invalid."""
    email, name = clean(email, name)
    user = User(email=email, name=name, password_hash=password_hash, is_admin=is_admin)
    db.session.add(user)
    with unique(Invalid(email=f"There is already an account for {email}.")):
        db.session.flush()
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
    """Raises Forbidden, Invalid."""
    access.require_organization_admin(actor)
    user = add(email, name, password_hash, is_admin)
    audit.record(actor, "user.created", user, admin=is_admin)
    return user


def find(email: str) -> User | None:
    """Whoever has this address, however it was typed."""
    address = same_address(email)
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


def get(user_id: str) -> User:
    """Raises NotFound."""
    user = db.session.get(User, user_id) if is_id(user_id, "usr") else None
    if user is None:
        raise NotFound("There is no such person here.")
    return user


@dataclass(frozen=True)
class Page:
    """`number` counts from 1 and is always one that exists. `last_logins` is by user id."""

    users: list[User]
    last_logins: dict[str, datetime]
    number: int
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_SIZE))


def page(q: str, number: int) -> Page:
    """By name; `q` is looked for in names and addresses. In place of a page past the last one,
    the last one."""
    where = []
    if q:
        pattern = f"%{like_escaped(folded(q))}%"
        where.append(
            or_(User.name.ilike(pattern, escape="\\"), User.email.ilike(pattern, escape="\\"))
        )
    total = db.session.scalar(select(func.count()).select_from(User).where(*where)) or 0
    number = max(1, min(number, -(-total // PAGE_SIZE)))
    query = select(User).where(*where).order_by(func.lower(User.name), User.id)
    found = list(db.session.scalars(query.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)))
    return Page(found, last_logins([user.id for user in found]), number, total)


def last_logins(user_ids: list[str]) -> dict[str, datetime]:
    """When each of them signed in last; nothing for those who never did."""
    latest = select(Session.user_id, func.max(Session.created_at)).group_by(Session.user_id)
    rows = db.session.execute(latest.where(Session.user_id.in_(user_ids))).all()
    return {each[0]: each[1] for each in rows}


def rename(actor: Actor, user: User, name: str) -> None:
    """Raises Invalid."""
    new = clean_name(name, "name", "yourself")
    if new != user.name:
        old, user.name = user.name, new
        audit.record(actor, "user.renamed", user, old_name=old)


def set_password(actor: Actor, user: User, password_hash: str, keep: str | None = None) -> None:
    """Also ends the user's sessions, but the one whose id is `keep`, and unlocks the account.

    For oneself, and for administrators. Raises Forbidden.
    """
    if actor.id != user.id:
        access.require_organization_admin(actor)
    user.password_hash = password_hash
    sessions.end_all(user, keep=keep)
    db.session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
    throttle.clear_account(user.email)
    audit.record(actor, "user.password_changed", user)


def disable(actor: Actor, user: User) -> None:
    """Their sessions end, and their tokens and the links that they handed out stop.

    Raises Forbidden, and Conflict for oneself and for the last administrator.
    """
    access.require_lasting_organization_admin(actor)
    if actor.id == user.id:
        raise Conflict("You can't disable yourself. Ask another administrator.")
    _keep_one_admin(user)
    if user.disabled_at is None:
        user.disabled_at = now()
        sessions.end_all(user)
        db.session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
        _withdraw_links(actor, user)
        audit.record(actor, "user.disabled", user)


def enable(actor: Actor, user: User) -> None:
    """Raises Forbidden."""
    access.require_lasting_organization_admin(actor)
    if user.disabled_at is not None:
        user.disabled_at = None
        audit.record(actor, "user.enabled", user)


def promote(actor: Actor, user: User) -> None:
    """Raises Forbidden."""
    access.require_lasting_organization_admin(actor)
    if not user.is_admin:
        user.is_admin = True
        audit.record(actor, "user.promoted", user)


def demote(actor: Actor, user: User) -> None:
    """The links that they handed out stop. Raises Forbidden, and Conflict for the last
    administrator."""
    access.require_lasting_organization_admin(actor)
    _keep_one_admin(user)
    if user.is_admin:
        user.is_admin = False
        _withdraw_links(actor, user)
        audit.record(actor, "user.demoted", user)


def admins() -> list[User]:
    """The active organization admins."""
    return list(
        db.session.scalars(
            select(User).where(User.is_admin, User.disabled_at.is_(None)).order_by(User.name)
        )
    )


def _withdraw_links(actor: Actor, user: User) -> None:
    """Whoever may not invite any more must not come back by a link of their own making."""
    db.session.execute(delete(PasswordReset).where(PasswordReset.creator_id == user.id))
    waiting = (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
    theirs = select(Invitation).where(Invitation.creator_id == user.id, *waiting)
    for invitation in db.session.scalars(theirs).all():
        ending = update(Invitation).where(Invitation.id == invitation.id, *waiting)
        if changed(ending.values(revoked_at=now())):
            audit.record(actor, "invitation.revoked", invitation)


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
