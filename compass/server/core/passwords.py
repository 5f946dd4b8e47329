"""Passwords: argon2id with the library's defaults (RFC 9106's low-memory profile)."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from compass.server.core.errors import Invalid

SHORTEST, LONGEST = 8, 1024

_hasher = PasswordHasher()
# A hash takes 64 MiB. One at a time keeps a burst of logins from taking the machine.
_one_at_a_time = threading.Lock()


def hash_password(password: str, field: str = "password") -> str:
    """Raises Invalid for a password too short or too long."""
    if len(password) < SHORTEST:
        raise Invalid(**{field: f"Use at least {SHORTEST} characters. A sentence works well."})
    if len(password) > LONGEST:
        raise Invalid(**{field: f"Use at most {LONGEST} characters."})
    with _one_at_a_time:
        return _hasher.hash(_bytes(password))


def verify(stored: str | None, password: str) -> bool:
    """Takes as long for an account that isn't there (None) as for one that is."""
    with _one_at_a_time:
        try:
            return _hasher.verify(stored or _nobodys_hash(), _bytes(password)) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False


def needs_rehash(stored: str) -> bool:
    """Whether the library's parameters have changed since."""
    return _hasher.check_needs_rehash(stored)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")[: 4 * LONGEST]


_nobody: str | None = None


def _nobodys_hash() -> str:
    global _nobody
    if _nobody is None:
        _nobody = _hasher.hash("nobody's password")
    return _nobody
