"""The shape of a key, looked at without a network: cleaned, checked, found, hidden.

compass_sa_  or  compass_pat_     what it is
40 characters of base62           238 random bits
6 characters of base62            CRC-32 (IEEE 802.3) of everything before
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

VARIABLE = "COMPASS_API_KEY"

# For scanning and masking. No word boundaries: they would miss `\ncompass_…` in a string
# literal and `%3Dcompass_…` in a URL.
PATTERN = re.compile(r"compass_(?:sa|pat)_[0-9A-Za-z]{46}")

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECKSUM = 40, 6
_PREFIXES = ("compass_sa_", "compass_pat_")

# What comes along when a key is copied, in the words in which it is told.
_LITTER = {
    "a byte order mark": "\ufeff",
    "a line end": "\r\n",
    "blanks": " \t\v\f\xa0\u200b\u2060",
    "quotes": "\"'`“”‘’",
}
_BEARER = re.compile(r"bearer\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Cleaned:
    """A key without what was around it, and what that was: "quotes", "a line end", …"""

    key: str = field(repr=False)
    stripped: tuple[str, ...]


def clean(text: str) -> Cleaned:
    """Takes off blanks, line ends, quotes, a byte order mark and the word Bearer around a key."""
    ends = "".join(_LITTER.values())
    key, stripped = text.strip(ends), set()
    if word := _BEARER.match(key):
        key = key[word.end() :].strip(ends)
        stripped.add("the word Bearer")
    around = text.replace(key, "", 1) if key else text
    stripped |= {name for name, chars in _LITTER.items() if any(char in around for char in chars)}
    return Cleaned(key, tuple(sorted(stripped)))


def complaint(key: str) -> str | None:
    """Why this can't be a key, in a sentence that does not show it; None for one that can.

    Only the server knows whether such a key exists and still works.
    """
    prefix = next((each for each in _PREFIXES if key.startswith(each)), None)
    if prefix is None:
        return "This is no Compass key: one begins with compass_sa_ or compass_pat_."
    rest = key.removeprefix(prefix)
    missing = _RANDOM + _CHECKSUM - len(rest)
    if any(char not in _ALPHABET for char in rest):
        return "This key is mistyped: after its prefix it has letters and digits alone."
    if missing > 0:
        return f"This key is cut off: {missing} of its characters are missing. Copy it again."
    if missing < 0:
        return f"This key is too long, by {-missing} characters. Copy it again."
    if checksum(key[:-_CHECKSUM]) != key[-_CHECKSUM:]:
        return "This key is mistyped: its checksum is wrong. Copy it again."
    return None


def checksum(start: str) -> str:
    """CRC-32 as base62, left-padded with `0` to six characters."""
    number, digits = zlib.crc32(start.encode("ascii")), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def hint(key: str) -> str:
    """What may be shown of a key: prefix, first 4 and last 4 of the rest."""
    if not PATTERN.fullmatch(key):
        return "…"
    rest = key[-_RANDOM - _CHECKSUM :]
    return f"{key.removesuffix(rest)}{rest[:4]}…{rest[-4:]}"


def mask(text: str) -> str:
    """The text with every key in it replaced by its hint."""
    return PATTERN.sub(lambda match: hint(match.group()), text)


def find(text: str) -> Iterator[re.Match[str]]:
    """The keys in a text: of their shape, and with the right checksum."""
    return (match for match in PATTERN.finditer(text) if complaint(match.group()) is None)
