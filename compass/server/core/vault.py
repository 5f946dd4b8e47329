"""Credentials at rest: sealed with Fernet (AES-128-CBC with HMAC-SHA-256), by the newest key.

Each further key of COMPASS_ENCRYPTION_KEYS still opens what it sealed, so that keys rotate by
putting a new one in front. What is sealed is bound to nothing but the key: the row it is in decides
whose it is.
"""

from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from compass.server.config import settings


class SealedError(Exception):
    """None of the keys opens this."""


def seal(credentials: dict[str, Any]) -> str:
    return _fernet().encrypt(orjson.dumps(credentials)).decode()


def unseal(sealed: str) -> dict[str, Any]:
    """Raises SealedError."""
    try:
        opened: dict[str, Any] = orjson.loads(_fernet().decrypt(sealed.encode()))
    except InvalidToken:
        raise SealedError("No key of COMPASS_ENCRYPTION_KEYS opens these credentials.") from None
    return opened


def reseal(sealed: str) -> str:
    """The same, sealed by the newest key. Raises SealedError."""
    try:
        return _fernet().rotate(sealed.encode()).decode()
    except InvalidToken:
        raise SealedError("No key of COMPASS_ENCRYPTION_KEYS opens these credentials.") from None


def is_newest(sealed: str) -> bool:
    """Whether the newest key sealed it."""
    try:
        Fernet(settings().vault_keys()[0]).decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings().vault_keys()])
