"""Values on their way to PostgreSQL and back: JSON on this side, text on the other."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from psycopg import abc
from psycopg.adapt import Loader, Transformer
from psycopg.pq import Escaping

from compass.server.core.step_error import Json

# What PostgreSQL calls the types of parameters; 0 lets it find out itself.
_BOOL, _INT8, _FLOAT8, _NUMERIC, _JSONB, _UNKNOWN = 16, 20, 701, 1700, 3802, 0


def parameter(value: Json) -> tuple[int, bytes | None]:
    """Type and text of what is bound. Raises ValueError."""
    match value:
        case None:
            return _UNKNOWN, None
        case bool():
            return _BOOL, b"true" if value else b"false"
        case int():
            return (_INT8 if -(2**63) <= value < 2**63 else _NUMERIC), str(value).encode()
        case float():
            return _FLOAT8, repr(value).encode()
        case str():
            if "\0" in value:
                raise ValueError("A text with a NUL character can't be in PostgreSQL.")
            return _UNKNOWN, value.encode()
    return _JSONB, orjson.dumps(value)


def transformer(session: psycopg.Connection[Any]) -> abc.Transformer:
    """Turns results into JSON. What has no JSON of its own is the text that PostgreSQL writes."""
    for name, read in _READ.items():
        session.adapters.register_loader(name, _loader(read))
    return Transformer(session)


def _loader(read: Callable[[str], Json]) -> type[Loader]:
    class Reading(Loader):
        def load(self, data: Any) -> Json:
            return read(bytes(data).decode("utf-8", "replace"))

    return Reading


def _float(text: str) -> Json:
    number = float(text)
    return number if abs(number) < float("inf") else text


def _numeric(text: str) -> Json:
    """A number where JSON's readers keep it exactly."""
    if len(text) > 40:
        return text
    if text.lstrip("-").isdigit():
        number = int(text)
        return number if abs(number) < 2**63 else text
    try:
        as_float = float(text)
    except ValueError:
        return text
    digits = text.lstrip("-").replace(".", "").lstrip("0")
    return as_float if len(digits) <= 15 and abs(as_float) < float("inf") else text


def _moment(text: str) -> str:
    """RFC 3339 in UTC; as it is where that can't say it (infinity, before Christ)."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return moment.isoformat().replace("+00:00", "Z")


def _local_moment(text: str) -> str:
    return text.replace(" ", "T", 1) if text[:1].isdigit() and "BC" not in text else text


def _bytes(text: str) -> str:
    return b64encode(Escaping().unescape_bytea(text.encode())).decode()


def _json(text: str) -> Json:
    try:
        return orjson.loads(text)
    except ValueError:
        return text


_AS_TEXT = (
    "text", "varchar", "bpchar", "name", '"char"', "date", "time", "timetz", "interval", "uuid",
    "inet", "cidr", "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange",
    "int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange",
    "tstzmultirange", "money",
)  # fmt: skip
_READ: dict[str, Callable[[str], Json]] = {
    **dict.fromkeys(_AS_TEXT, str),
    "float4": _float,
    "float8": _float,
    "numeric": _numeric,
    "timestamp": _local_moment,
    "timestamptz": _moment,
    "bytea": _bytes,
    "json": _json,
    "jsonb": _json,
}
