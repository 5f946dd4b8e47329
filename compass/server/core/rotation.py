"""Rotation: a new secret for the same key, while the old one goes on for as long as is chosen.

The key stays what it is: id, name, role and history. It never has more than two live secrets.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update

from compass.server.config import settings
from compass.server.core import access, audit, keys, tokens
from compass.server.core.access import Action, Actor, KeyHolder, Person
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Findings, Invalid
from compass.server.core.models import Key, KeySecret, KeyStatus
from compass.server.db import changed, db

LONGEST_OVERLAP_HOURS = 168
# Ended secrets of a key that are remembered, to tell whoever still sends one that it was rotated.
REMEMBERED = 20

TWO_ALREADY = (
    "This key has two secrets already. End the old one, or wait until it has ended, "
    "to rotate it again."
)
OUT_OF_DATE = "This secret was rotated already. Only the newest one can be replaced."


def rotate(
    actor: Actor,
    key_id: str,
    overlap_hours: str,
    expires_in_days: str | None = None,
    secret_id: int | None = None,
) -> tuple[str, Key]:
    """(secret, key). The secret is nowhere else, and can't be had again.

    Both as typed: the old secret goes on for `overlap_hours` (0: it ends now), and the key lives
    on for `expires_in_days` from now; None renews its lifetime, blank means for good. With
    `secret_id`, only that secret is replaced, not one that has come since it was looked at.
    Raises NotFound, Forbidden, Invalid, and Conflict for a key that can't be rotated now.
    """
    key = keys.get(actor, key_id)
    require_rotatable(actor, key)
    wrong = Findings()
    with wrong:
        hours = parse_overlap(overlap_hours)
    with wrong:
        days = renewed_days(key) if expires_in_days is None else keys.parse_days(expires_in_days)
    wrong.settle()
    expires_at = now() + timedelta(days=days) if days else None
    secret = _replace(actor, key, hours, secret_id, expires_at=expires_at, lifetime_days=days)
    audit.record(actor, "key.rotated", key, hint=key.hint, overlap_hours=hours, days=days)
    return secret, key


def rotate_self(caller: KeyHolder, secret_id: int, overlap_hours: int) -> tuple[str, Key]:
    """(secret, key), for the key that is calling, with the secret that it calls with.

    Its expiry stays: a key can't prolong its own life. Raises Conflict, also where that secret is
    not the key's newest.
    """
    key = keys.own(caller)
    secret = _replace(caller, key, overlap_hours, secret_id, expires_at=Key.expires_at)
    audit.record(caller, "key.rotated", key, hint=key.hint, overlap_hours=overlap_hours)
    return secret, key


def end_overlap(actor: Actor, key_id: str, secret_id: int | None = None) -> Key:
    """Ends the old secret now; with `secret_id`, only if it is that one.

    Again and again gives the same key and one event. Raises NotFound, Forbidden.
    """
    key = _locked(actor, key_id)
    old = key.old_secret
    if old is not None and secret_id in {None, old.id}:
        old.ends_at = now()
        audit.record(actor, "key.overlap_ended", key, hint=old.hint)
    return key


def take_back(actor: Actor, key_id: str, secret_id: int | None = None) -> Key:
    """Ends a new secret that was never used, and lets the old one go on as before.

    For when the answer with the new one was lost: nobody has it, and the old one would end. With
    `secret_id`, only if the new one is that one. Raises NotFound, Forbidden, and Conflict where
    the new one is in use or the old one has ended.
    """
    key = _locked(actor, key_id)
    new, old = key.secret, key.old_secret
    if old is None or secret_id not in {None, new.id}:
        raise Conflict(
            "There is no rotation to take back. Reload the page to see the key as it is."
        )
    if new.last_used_at is not None:
        raise Conflict("The new secret is in use already, so the rotation can't be taken back.")
    # One after the other, so that there is never a second one without an end.
    new.ends_at = now()
    db.session.flush()
    old.ends_at = None
    audit.record(actor, "key.rotation_taken_back", key, hint=new.hint)
    return key


def require_rotatable(actor: Actor, key: Key) -> None:
    """Raises Forbidden, and Conflict for a key that can't be rotated now."""
    access.require(actor, Action.ROTATE_KEY, key)
    _require_active(key)
    if key.old_secret is not None:
        raise Conflict(TWO_ALREADY)


def renewed_days(key: Key) -> int | None:
    """The lifetime, in days, that a rotation gives if no other is chosen; None: never expires."""
    most = settings().max_key_lifetime_days
    return min(key.lifetime_days or most, most) if most else key.lifetime_days


def parse_overlap(text: str) -> int:
    """Hours as typed. Raises Invalid at `overlap_hours`."""
    typed = text.strip()
    # The length first: Python refuses to read numbers of thousands of digits.
    is_number = typed.isascii() and typed.isdigit() and len(typed) < 9
    if is_number and int(typed) <= LONGEST_OVERLAP_HOURS:
        return int(typed)
    raise Invalid(
        overlap_hours="Choose how long the old secret goes on working: "
        f"from 0 to {LONGEST_OVERLAP_HOURS} hours."
    )


def _replace(
    actor: Actor, key: Key, overlap_hours: int, secret_id: int | None, **values: object
) -> str:
    """The new secret, in place of the one with `secret_id` alone if given. Raises Conflict."""
    _claim(key, values)
    # After the claim, which may have waited for another rotation.
    moment = now()
    newest = key.secret
    if secret_id not in {None, newest.id}:
        raise Conflict(OUT_OF_DATE)
    if key.old_secret is not None:
        raise Conflict(TWO_ALREADY)
    overlap_ends = moment + timedelta(hours=overlap_hours)
    newest.ends_at = min(overlap_ends, key.expires_at) if key.expires_at else overlap_ends
    secret = tokens.mint(key.type)
    db.session.add(
        KeySecret(
            key_id=key.id,
            digest=tokens.digest(secret),
            hint=tokens.hint(secret),
            created_at=moment,
            # Whoever knew the secret that a key rotated itself with may have been the one to do it.
            shown_to_id=actor.id if isinstance(actor, Person) else newest.shown_to_id,
        )
    )
    db.session.flush()
    _forget_oldest(key, moment)
    db.session.refresh(key, ["secrets"])
    return secret


def _claim(key: Key, values: dict[str, object]) -> None:
    """Changes the key if it is active, and its row is ours until the transaction ends: of several
    rotations, revocations and ends at once, one comes after the other."""
    alive = (Key.revoked_at.is_(None), or_(Key.expires_at.is_(None), Key.expires_at > now()))
    claimed = changed(update(Key).where(Key.id == key.id, *alive).values(**values))
    # As it is after what the lock had to wait for.
    db.session.expire_all()
    if not claimed:
        _require_active(key)


def _locked(actor: Actor, key_id: str) -> Key:
    """The key to rotate, its row ours until the transaction ends. Raises NotFound, Forbidden."""
    key = keys.get(actor, key_id)
    access.require(actor, Action.ROTATE_KEY, key)
    changed(update(Key).where(Key.id == key.id).values(revoked_at=Key.revoked_at))
    # As it is after what the lock had to wait for.
    db.session.expire_all()
    return key


def _require_active(key: Key) -> None:
    if key.status is not KeyStatus.ACTIVE:
        raise Conflict(f"This key is {key.status}, so it can't be rotated. Create a new one.")


def _forget_oldest(key: Key, moment: datetime) -> None:
    """A key that rotates itself every hour must not become ten thousand rows a year."""
    # What was used last first: when a key was used is what revoking it is decided by.
    unused, lately = KeySecret.last_used_at.is_(None), KeySecret.last_used_at.desc()
    kept = select(KeySecret.id).where(KeySecret.key_id == key.id)
    kept = kept.order_by(unused, lately, KeySecret.id.desc())
    db.session.execute(
        delete(KeySecret)
        .where(
            KeySecret.key_id == key.id,
            KeySecret.ends_at <= moment,
            KeySecret.id.not_in(kept.limit(REMEMBERED)),
        )
        .execution_options(synchronize_session=False)
    )
