"""What a presented key is worth, now. The outcome is a value; the door makes it an answer.

In this order: shape and checksum (no database), one indexed look-up of the digest, then
revoked, rotated out, expired, owner. Nothing is cached, so whatever changed before this
request counts for it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, case, func, or_, select, update
from sqlalchemy.orm import aliased

from compass.server.core import tokens
from compass.server.core.clock import now, rfc3339
from compass.server.core.models import (
    Key,
    KeySecret,
    KeyStatus,
    KeyType,
    Membership,
    Project,
    Role,
    User,
)
from compass.server.db import LookUp, brief

USE_NOTED_EVERY = timedelta(minutes=1)


class Named(NamedTuple):
    """A person as a key's facts name them."""

    id: str
    email: str
    name: str


class Verified(NamedTuple):
    """A key that may pass, with the facts that models.Key has too.

    `role` is the key's own; `power` what it may do now: a token's is capped by its owner's role.
    """

    id: str
    name: str
    type: KeyType
    role: Role
    power: Role
    hint: str
    project_id: str
    project_name: str
    owner: Named | None
    creator: Named | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    secret_id: int
    secret_last_used_at: datetime | None

    @property
    def status(self) -> KeyStatus:
        return KeyStatus.ACTIVE

    @property
    def revoked_at(self) -> None:
        return None

    @property
    def revoked_by(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Refused:
    """`code` is the contract's; `reason` is a sentence for whoever holds the key."""

    code: str
    reason: str


Outcome = Verified | Refused

UNKNOWN = Refused("invalid_token", "This key is not known here. Check that it is whole.")

_owner, _creator, _each = aliased(User), aliased(User), aliased(KeySecret)
_of_the_key = _each.key_id == Key.id

_look_up = LookUp(
    select(
        Key.id,
        Key.name,
        Key.type,
        Key.role,
        Key.project_id,
        Project.name.label("project_name"),
        Key.owner_id,
        _owner.email.label("owner_email"),
        _owner.name.label("owner_name"),
        _owner.disabled_at.label("owner_disabled_at"),
        _owner.is_admin.label("owner_is_admin"),
        Membership.role.label("owner_role"),
        Key.creator_id,
        _creator.email.label("creator_email"),
        _creator.name.label("creator_name"),
        Key.created_at,
        Key.expires_at,
        Key.revoked_at,
        KeySecret.id.label("secret_id"),
        KeySecret.ends_at,
        KeySecret.last_used_at.label("secret_last_used_at"),
        # Of the key as a whole, which may have two secrets.
        case(
            (KeySecret.ends_at.is_(None), KeySecret.hint),
            else_=select(_each.hint).where(_of_the_key, _each.ends_at.is_(None)).scalar_subquery(),
        ).label("hint"),
    )
    .join_from(KeySecret, Key)
    .join(Project)
    .outerjoin(_owner, _owner.id == Key.owner_id)
    .outerjoin(_creator, _creator.id == Key.creator_id)
    .outerjoin(
        Membership,
        and_(Membership.user_id == Key.owner_id, Membership.project_id == Key.project_id),
    )
    .where(KeySecret.digest == bindparam("digest"))
)


# Of a key with more secrets than the one that it is called with.
_look_up_last_use = LookUp(
    select(func.max(KeySecret.last_used_at).label("at")).where(
        KeySecret.key_id == bindparam("key_id")
    )
)


def verify(token: str) -> Outcome:
    """The exact reason is told only where the whole secret matched a row."""
    if not tokens.is_well_formed(token):
        return UNKNOWN
    found = _look_up(digest=tokens.digest(token))
    if found is None:
        return UNKNOWN
    moment = now()
    return _refused(found, moment) or _verified(found, moment)


def _refused(found: Any, moment: datetime) -> Refused | None:
    if found.revoked_at is not None:
        return Refused("revoked_token", f"This key was revoked at {rfc3339(found.revoked_at)}.")
    if found.ends_at is not None and found.ends_at <= moment:
        return Refused(
            "rotated_token",
            f"This key was rotated; this secret of it ended at {rfc3339(found.ends_at)}.",
        )
    if found.expires_at is not None and found.expires_at <= moment:
        return Refused("expired_token", f"This key expired at {rfc3339(found.expires_at)}.")
    if found.type is not KeyType.PERSONAL:
        return None
    if found.owner_disabled_at is not None:
        return Refused(
            "owner_inactive",
            f"The owner of this token was disabled at {rfc3339(found.owner_disabled_at)}.",
        )
    if not found.owner_is_admin and found.owner_role is None:
        return Refused("owner_inactive", "The owner of this token is no longer in its project.")
    return None


def _verified(found: Any, moment: datetime) -> Verified:
    power: Role = found.role
    if found.type is KeyType.PERSONAL and not found.owner_is_admin:
        power = power.capped(found.owner_role)
    owner = Named(found.owner_id, found.owner_email, found.owner_name)
    creator = Named(found.creator_id, found.creator_email, found.creator_name)
    return Verified(
        id=found.id,
        name=found.name,
        type=found.type,
        role=found.role,
        power=power,
        hint=found.hint,
        project_id=found.project_id,
        project_name=found.project_name,
        owner=owner if owner.id else None,
        creator=creator if creator.id else None,
        created_at=found.created_at,
        expires_at=found.expires_at,
        last_used_at=_last_use(found, moment),
        secret_id=found.secret_id,
        secret_last_used_at=found.secret_last_used_at,
    )


def is_use_due(verified: Verified) -> bool:
    """Whether a minute has passed since this secret's use was noted."""
    return not _is_lately(verified.secret_last_used_at, now())


def _last_use(found: Any, moment: datetime) -> datetime | None:
    """Of the key as a whole. Uses are noted once a minute: what is later than that is as late as
    any of its other secrets could be, and need not be asked for."""
    noted: datetime | None = found.secret_last_used_at
    if _is_lately(noted, moment):
        return noted
    last = _look_up_last_use(key_id=found.id)
    return last.at if last else None


def _is_lately(noted: datetime | None, moment: datetime) -> bool:
    return noted is not None and noted > moment - USE_NOTED_EVERY


def note_use(verified: Verified, address: str | None, user_agent: str | None) -> None:
    """Writes when and from where this secret was used, unless another request just did.

    On the side: it gives up rather than waits, and its failure fails nothing.
    """
    moment = now()
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
