"""What a connection's config and credentials may hold, for each kind. Nothing else is kept.

Errors are at JSON Pointers without their first slash: `config/base_url`.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from compass.server.core.errors import Findings, Invalid
from compass.server.core.models import ConnectionKind

LONGEST = 2000
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
AUTHS = {
    "none": (),
    "bearer": ("token",),
    "basic": ("username", "password"),
    "header": ("name", "value"),
}

# RFC 9110, section 5.6.2.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# Of what a connection says these itself, or its credentials do.
HEADERS_NOT_TO_SET = {
    "authorization", "proxy-authorization", "cookie", "host", "content-length",
    "transfer-encoding", "connection", "idempotency-key",
}  # fmt: skip
_HOST = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z._-]{0,251}[0-9A-Za-z])?|[0-9A-Fa-f:.]{2,45}")

Members = dict[str, Any]


def clean_config(kind: ConnectionKind, config: Any) -> Members:
    """As it will be kept, with what was left out filled in. Raises Invalid."""
    if not isinstance(config, dict):
        raise Invalid(config="Give an object.")
    shape = _HTTP if kind is ConnectionKind.HTTP else _POSTGRES
    return _clean("config", config, shape)


def clean_credentials(kind: ConnectionKind, credentials: Any) -> Members:
    """Raises Invalid, never with a value in its words."""
    if not isinstance(credentials, dict):
        raise Invalid(credentials="Give an object.")
    if kind is ConnectionKind.POSTGRES:
        return _clean("credentials", credentials, {"password": _secret})
    auth = credentials.get("auth")
    if not isinstance(auth, str) or auth not in AUTHS:
        raise Invalid(**{"credentials/auth": f"Give one of {', '.join(AUTHS)}."})
    fields: dict[str, Callable[[Any], Any]] = dict.fromkeys(AUTHS[auth], _secret)
    if auth == "basic":
        fields["username"] = _username
    if auth == "header":
        fields["name"] = _credential_header
        fields["value"] = _header_value
    if auth == "bearer":
        fields["token"] = _header_value
    return _clean("credentials", credentials, {"auth": str, **fields})


def is_moved(old_kind: ConnectionKind, old: Members, kind: ConnectionKind, new: Members) -> bool:
    """Whether the credentials would go somewhere else, or less protected, than they did."""
    places = ("base_url", "host", "port", "sslmode")
    return old_kind is not kind or any(old.get(each) != new.get(each) for each in places)


def _clean(where: str, given: Members, shape: dict[str, Callable[[Any], Any]]) -> Members:
    wrong, cleaned = Findings(), {}
    for name in given:
        if name not in shape:
            pointer = str(name).replace("~", "~0").replace("/", "~1")
            with wrong:
                raise Invalid(**{f"{where}/{pointer}": f"Unknown. Known are {', '.join(shape)}."})
    for name, check in shape.items():
        with wrong:
            try:
                cleaned[name] = check(given.get(name))
            except ValueError as error:
                raise Invalid(**{f"{where}/{name}": str(error)}) from None
    wrong.settle()
    return cleaned


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("Give a text.")
    if len(value) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters.")
    if any(ord(char) < 32 or ord(char) == 127 or "\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("Leave out line breaks and other control characters.")
    return value


def _secret(value: Any) -> str:
    return _text(value)


def _username(value: Any) -> str:
    if ":" in _text(value):
        raise ValueError("A user name has no colon (RFC 7617).")
    return str(value)


def _header_value(value: Any) -> str:
    if not _text(value).isascii() or value != value.strip():
        raise ValueError("A header's value is ASCII, without blanks around it.")
    return str(value)


def _header_name(value: Any) -> str:
    if not isinstance(value, str) or not HEADER_NAME.fullmatch(value):
        raise ValueError("That is no header's name (RFC 9110).")
    return value


def _credential_header(value: Any) -> str:
    if _header_name(value).lower() in HEADERS_NOT_TO_SET - {"authorization"}:
        raise ValueError(f"{value} can't be set. For cookies and hosts there is no credential.")
    return str(value)


def _headers(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > 50:
        raise ValueError("Give an object of at most 50 headers.")
    for name, text in value.items():
        if _header_name(name).lower() in HEADERS_NOT_TO_SET:
            raise ValueError(f"{name} can't be set here. Credentials belong into credentials.")
        _header_value(text)
    return dict(value)


def _base_url(value: Any) -> str:
    text = _text(value)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("That is no address.") from None
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError("Give an address such as https://api.example.org/v2.")
    if "@" in parts.netloc:
        raise ValueError("Leave user and password out: they belong into credentials.")
    if parts.query or parts.fragment or "?" in text or "#" in text or "\\" in text or port == 0:
        raise ValueError("Give scheme, host and path alone.")
    if not text.isascii() or " " in text or any(s in {".", ".."} for s in parts.path.split("/")):
        raise ValueError("Write the address out, in ASCII and without dots as folders.")
    return text.rstrip("/")


def _host(value: Any) -> str:
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise ValueError("Give one name or address, no socket's folder and no list.")
    return value


def _port(value: Any) -> int:
    if value is None:
        return 5432
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise ValueError("Give a whole number from 1 to 65535.")
    return value


def _sslmode(value: Any) -> str:
    if value is None:
        return "prefer"
    if value not in SSL_MODES:
        raise ValueError(f"Give one of {', '.join(SSL_MODES)}.")
    return str(value)


_HTTP: dict[str, Callable[[Any], Any]] = {"base_url": _base_url, "headers": _headers}
_POSTGRES: dict[str, Callable[[Any], Any]] = {
    "host": _host,
    "port": _port,
    "database": _text,
    "user": _text,
    "sslmode": _sslmode,
}
