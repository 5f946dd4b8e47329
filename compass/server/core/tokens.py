"""The shape of a key: how it is made, checked, shown and hidden. Touches no database.

    compass_sa_  or  compass_pat_     what it is
    40 characters of base62           238 random bits
    6 characters of base62            CRC-32 (IEEE 802.3) of everything before

The checksum lets a mistyped or cut-off key be refused, and a leaked one be found by a
scanner, without asking any database. It is no protection; the 238 bits are.
"""

import hashlib
import re
import secrets
import zlib

PREFIXES = {"service_account": "compass_sa_", "personal": "compass_pat_"}

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY = 40
_CHECKSUM = 6

# For scanning and masking. No word boundaries: they would miss `\ncompass_…` in a string
# literal and `%3Dcompass_…` in a URL.
PATTERN = re.compile(r"compass_(?:sa|pat)_[0-9A-Za-z]{46}")


def mint(key_type: str) -> str:
    """A new secret for a key of this type. Whoever calls this is the only one to have it."""
    start = PREFIXES[key_type] + "".join(secrets.choice(ALPHABET) for _ in range(_BODY))
    return start + checksum(start)


def checksum(start: str) -> str:
    """CRC-32 as base62, left-padded with `0` to six characters."""
    number, digits = zlib.crc32(start.encode("ascii")), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits


def is_well_formed(token: str) -> bool:
    """Whether this is a key's shape with the right checksum."""
    return (
        PATTERN.fullmatch(token) is not None and checksum(token[:-_CHECKSUM]) == token[-_CHECKSUM:]
    )


def digest(token: str) -> str:
    """SHA-256 in hex: what is stored, and looked up by. Why no slow hash: SECURITY.md."""
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def hint(token: str) -> str:
    """What may be shown for good: prefix, first 4 and last 4 of the rest."""
    prefix, rest = token[: -_BODY - _CHECKSUM], token[-_BODY - _CHECKSUM :]
    return f"{prefix}{rest[:4]}…{rest[-4:]}"


def mask(text: str) -> str:
    """The text with every key in it replaced by its hint."""
    return PATTERN.sub(lambda match: hint(match.group()), text)
