"""Passwords: argon2id with the library's defaults (RFC 9106's low-memory profile)."""

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from compass.server.core.errors import Invalid

SHORTEST, LONGEST = 8, 1024

_hasher = PasswordHasher()
# A hash takes 64 MiB. One at a time keeps a burst of logins from taking the machine.
_one_at_a_time = threading.Lock()


def hash_password(password: str) -> str:
    """Raises Invalid for a password that `check` refuses."""
    check(password)
    with _one_at_a_time:
        return _hasher.hash(_bytes(password))


def check(password: str) -> None:
    """Raises Invalid for a password too short, too long, or that nobody could type."""
    if len(password) < SHORTEST:
        raise Invalid(**{"password": f"Use at least {SHORTEST} characters. A sentence works well."})
    if len(password) > LONGEST:
        raise Invalid(**{"password": f"Use at most {LONGEST} characters."})
    if any("\ud800" <= char <= "\udfff" for char in password):
        raise Invalid(**{"password": "The password must be valid UTF-8."})


def verify(stored: str | None, password: str) -> bool:
    """Takes as long for an account that isn't there (None) as for one that is."""
    if len(password) > LONGEST:
        return False
    with _one_at_a_time:
        try:
            return _hasher.verify(stored or _nobodys_hash(), _bytes(password)) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False


def renew(stored: str, password: str) -> str | None:
    """A new hash where the library's parameters have changed since, else None."""
    if not _hasher.check_needs_rehash(stored):
        return None
    with _one_at_a_time:
        return _hasher.hash(_bytes(password))


def _bytes(password: str) -> bytes:
    """NFC, so that one password is one, whatever keyboard it comes from (RFC 8265)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")


_nobody: str | None = None


def _nobodys_hash() -> str:
    global _nobody
    if _nobody is None:
        _nobody = _hasher.hash("nobody's password")
    return _nobody
