"""One-time links: a token that is shown once, and what is kept of it."""

import hashlib
import re
import secrets

_SHAPE = re.compile(r"[0-9A-Za-z_-]{43}")


def mint() -> str:
    """256 random bits, fit for an address. Whoever calls this is the only one to have it."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str | None:
    """SHA-256 in hex: what is stored and looked up by. None for what was never minted.

    So many random bits need no slow hash.
    """
    return hashlib.sha256(token.encode()).hexdigest() if _SHAPE.fullmatch(token) else None
