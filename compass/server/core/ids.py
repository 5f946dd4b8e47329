"""Ids: opaque strings with a prefix that sort by creation."""

import secrets
import time
from datetime import UTC, datetime, timedelta

# Ordered the same by SQLite, by PostgreSQL in any collation, and by Python.
_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_LENGTH = 23
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 32**11 - 1


def new_id(prefix: str) -> str:
    """prefix, `_`, the microsecond in 11 characters, 60 random bits in 12."""
    return f"{prefix}_{_encode(time.time_ns() // 1000, 11)}{_encode(secrets.randbits(60), 12)}"


def lowest(prefix: str, moment: datetime) -> str:
    """What no id made before `moment` reaches, and none made from then on is below."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return f"{prefix}_{_encode(min(max(microseconds, 0), _LATEST), 11)}{_encode(0, 12)}"


def is_id(text: str, prefix: str) -> bool:
    """Whether this has the shape of such an id: what has not is never looked up."""
    start, _, rest = text.partition("_")
    return start == prefix and len(rest) == _LENGTH and set(rest) <= set(_ALPHABET)


def _encode(number: int, width: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(width)))
