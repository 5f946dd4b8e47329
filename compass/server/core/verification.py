"""What a presented key is worth, now. The outcome is a value; the door makes it an answer.

In this order: shape and checksum (no database), one indexed look-up of the digest, then
revoked, rotated out, expired, owner. Nothing is cached, so whatever changed before this
request counts for it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update

from compass.server.core import tokens
from compass.server.core.clock import now, rfc3339
from compass.server.core.models import Key, KeySecret, KeyType, Membership, Project, Role, User
from compass.server.db import brief, db

USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Verified:
    """A key that may pass. `role` is what it may do now: a token's is capped by its owner's."""

    key_id: str
    key_name: str
    project_id: str
    project_name: str
    role: Role
    key_role: Role
    owner_id: str | None
    secret_id: int
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """`code` is the contract's; `reason` is a sentence for whoever holds the key."""

    code: str
    reason: str


Outcome = Verified | Refused

UNKNOWN = Refused("invalid_token", "This key is not known here. Check that it is whole.")

_LOOK_UP = (
    select(
        Key.id,
        Key.name,
        Key.type,
        Key.role,
        Key.project_id,
        Project.name.label("project_name"),
        Key.owner_id,
        Key.expires_at,
        Key.revoked_at,
        KeySecret.id.label("secret_id"),
        KeySecret.ends_at,
        KeySecret.last_used_at,
        User.disabled_at.label("owner_disabled_at"),
        User.is_admin.label("owner_is_admin"),
        Membership.role.label("owner_role"),
    )
    .join_from(KeySecret, Key)
    .join(Project)
    .outerjoin(User, User.id == Key.owner_id)
    .outerjoin(
        Membership,
        and_(Membership.user_id == Key.owner_id, Membership.project_id == Key.project_id),
    )
)


def verify(token: str) -> Outcome:
    """The exact reason is told only where the whole secret matched a row."""
    if not tokens.is_well_formed(token):
        return UNKNOWN
    row = db.session.execute(_LOOK_UP.where(KeySecret.digest == tokens.digest(token))).first()
    if row is None:
        return UNKNOWN
    moment = now()
    if row.revoked_at is not None:
        return Refused("revoked_token", f"This key was revoked at {rfc3339(row.revoked_at)}.")
    if row.ends_at is not None and row.ends_at <= moment:
        return Refused(
            "rotated_token",
            f"This key was rotated; this secret of it ended at {rfc3339(row.ends_at)}.",
        )
    if row.expires_at is not None and row.expires_at <= moment:
        return Refused("expired_token", f"This key expired at {rfc3339(row.expires_at)}.")
    role: Role = row.role
    if row.type is KeyType.PERSONAL:
        if row.owner_disabled_at is not None:
            return Refused(
                "owner_inactive",
                f"The owner of this token was disabled at {rfc3339(row.owner_disabled_at)}.",
            )
        held = Role.ADMIN if row.owner_is_admin else row.owner_role
        if held is None:
            return Refused("owner_inactive", "The owner of this token is no longer in its project.")
        role = role.capped(held)
    return Verified(
        key_id=row.id,
        key_name=row.name,
        project_id=row.project_id,
        project_name=row.project_name,
        role=role,
        key_role=row.role,
        owner_id=row.owner_id,
        secret_id=row.secret_id,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def note_use(verified: Verified, address: str | None, user_agent: str | None) -> None:
    """Writes when and from where this secret was used, at most once a minute.

    On the side: it gives up rather than waits, and its failure fails nothing.
    """
    moment = now()
    if verified.last_used_at and verified.last_used_at > moment - USE_NOTED_EVERY:
        return
    with brief() as connection:
        connection.execute(
            update(KeySecret)
            .where(
                KeySecret.id == verified.secret_id,
                or_(
                    KeySecret.last_used_at.is_(None),
                    KeySecret.last_used_at <= moment - USE_NOTED_EVERY,
                ),
            )
            .values(
                last_used_at=moment,
                last_used_address=address,
                last_used_agent=tokens.mask(user_agent or "")[:200],
            )
        )
