"""Login throttling, in the database so that it holds over processes and machines.

Three counts over the last fifteen minutes, each of attempts that were let through:

- of one account from one address, which stops ordinary guessing;
- of one address over all accounts, which stops spraying one password;
- of one account over all addresses it never signed in from, which stops a guess spread
  over many machines. Addresses it did sign in from are exempt, so that an attacker can't
  lock the owner out (OWASP's "device cookies", with the address as the device).

What is refused is not counted: the counts run out by themselves, and a flood of attempts
becomes no flood of rows.
"""

import hashlib
from datetime import timedelta
from math import ceil

from sqlalchemy import ColumnElement, and_, delete, exists, func, select

from compass.server.core.clock import now
from compass.server.core.errors import Throttled
from compass.server.core.models import LoginAttempt, Session
from compass.server.db import db, serialise

WINDOW = timedelta(minutes=15)
PER_ACCOUNT_AND_ADDRESS = 10
PER_ADDRESS = 50
PER_ACCOUNT = 30


def claim(email: str, user_id: str | None, address: str) -> None:
    """Counts one attempt before its password is looked at. Raises Throttled.

    `user_id` is whose account it is, None where there is none of that address.

    Counting first leaves no gap in which many attempts at once pass for one.
    """
    serialise(db.session(), "login")
    account, since = _account_hash(email), now() - WINDOW
    db.session.execute(delete(LoginAttempt).where(LoginAttempt.at < since))
    of_account, of_address = LoginAttempt.account_hash == account, LoginAttempt.address == address
    limits = [(and_(of_account, of_address), PER_ACCOUNT_AND_ADDRESS), (of_address, PER_ADDRESS)]
    if not _has_signed_in_from(user_id, address):
        limits.append((of_account, PER_ACCOUNT))
    for condition, most in limits:
        _check(condition, most)
    db.session.add(LoginAttempt(account_hash=account, address=address))
    db.session.flush()


def clear(email: str, address: str) -> None:
    """Forgets the attempts of this account from this address: its password was right."""
    db.session.execute(
        delete(LoginAttempt).where(
            LoginAttempt.account_hash == _account_hash(email), LoginAttempt.address == address
        )
    )


def clear_account(email: str) -> None:
    """Forgets all attempts on this account: the operator gave it a new password."""
    db.session.execute(
        delete(LoginAttempt).where(LoginAttempt.account_hash == _account_hash(email))
    )


def _check(condition: ColumnElement[bool], most: int) -> None:
    count, oldest = db.session.execute(
        select(func.count(), func.min(LoginAttempt.at)).where(condition)
    ).one()
    if count >= most:
        wait = max(1, ceil((oldest + WINDOW - now()).total_seconds()))
        minutes = ceil(wait / 60)
        raise Throttled(
            f"Too many attempts with a password. Try again in {minutes} "
            f"{'minute' if minutes == 1 else 'minutes'}.",
            retry_after=wait,
        )


def _has_signed_in_from(user_id: str | None, address: str) -> bool:
    seen = exists().where(Session.user_id == user_id, Session.address == address)
    return user_id is not None and bool(db.session.scalar(select(seen)))


def _account_hash(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
