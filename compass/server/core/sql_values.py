"""Values on their way to PostgreSQL and back: JSON on this side, its own text on the other."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
from psycopg import postgres
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Escaping
from psycopg.types.array import register_all_arrays

from compass.server.core import json_text
from compass.server.core.step_error import Json

# What PostgreSQL calls the types of parameters; with 0 it finds out itself.
_BOOL, _FLOAT8, _NUMERIC, _JSONB, _UNKNOWN = 16, 701, 1700, 3802, 0
# The smallest that fits, since that becomes a larger one by itself, and never a smaller one.
_WHOLE = ((2**15, 21), (2**31, 23), (2**63, 20))


def parameter(value: Json) -> tuple[int, bytes | None]:
    """Type and text of what is bound. Raises ValueError, TypeError."""
    match value:
        case None:
            return _UNKNOWN, None
        case bool():
            return _BOOL, b"true" if value else b"false"
        case int():
            fitting = (oid for limit, oid in _WHOLE if -limit <= value < limit)
            return next(fitting, _NUMERIC), str(value).encode()
        case float():
            return _FLOAT8, repr(value).encode()
        case str():
            if "\0" in value:
                raise ValueError("PostgreSQL has no texts with a NUL character.")
            return _UNKNOWN, value.encode()
    return _JSONB, orjson.dumps(value)


def _numeric(text: str) -> Json:
    """A number where JSON's readers keep it exactly."""
    digits = text.lstrip("-").replace(".", "", 1)
    if not digits.isdigit():
        return text
    if "." not in text:
        return json_text.whole(text)
    return float(text) if len(digits.lstrip("0")) <= 15 and len(digits) < 300 else text


def _moment(text: str) -> str:
    """RFC 3339 in UTC; as it is where that can't say it (infinity, before Christ)."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return moment.isoformat().replace("+00:00", "Z")


def _local_moment(text: str) -> str:
    return text.replace(" ", "T", 1) if text[:1].isdigit() and not text.endswith("BC") else text


def _bytes(text: str) -> str:
    return b64encode(Escaping().unescape_bytea(text.encode())).decode()


def _json(text: str) -> Json:
    try:
        return json_text.parse(text.encode())
    except ValueError:
        return text


def _loader(read: Callable[[str], Json]) -> type[Loader]:
    class Reading(Loader):
        def load(self, data: bytes | bytearray | memoryview) -> Json:
            return read(bytes(data).decode("utf-8", "replace"))

    return Reading


def _adapters() -> AdaptersMap:
    """What is not named here is the text that PostgreSQL writes."""
    adapters = AdaptersMap(types=postgres.types)
    for kind in postgres.types:
        adapters.register_loader(kind.oid, _loader(_READ.get(kind.name, str)))
    adapters.register_loader(_UNKNOWN, _loader(str))
    register_all_arrays(adapters)
    return adapters


_READ: dict[str, Callable[[str], Json]] = {
    "bool": lambda text: text == "t",
    **dict.fromkeys(("int2", "int4", "int8", "oid"), int),
    **dict.fromkeys(("float4", "float8"), json_text.fraction),
    "numeric": _numeric,
    "timestamp": _local_moment,
    "timestamptz": _moment,
    "bytea": _bytes,
    **dict.fromkeys(("json", "jsonb"), _json),
}

ADAPTERS = _adapters()
