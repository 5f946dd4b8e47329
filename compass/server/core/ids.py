"""Ids: opaque strings with a prefix that sort by creation."""

import secrets
import time

# Ordered the same by SQLite, by PostgreSQL in any collation, and by Python.
_ALPHABET = "0123456789abcdefghijklmnopqrstuv"


def new_id(prefix: str) -> str:
    """prefix, `_`, the microsecond in 11 characters, 60 random bits in 12."""
    return f"{prefix}_{_encode(time.time_ns() // 1000, 11)}{_encode(secrets.randbits(60), 12)}"


def _encode(number: int, width: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(width)))
