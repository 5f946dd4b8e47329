"""The record as files: CSV for spreadsheets, JSON lines for programs."""

import csv
import re
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any

import orjson

from compass.server.core.clock import rfc3339
from compass.server.core.models import AuditEvent

COLUMNS = (
    "id", "at", "action", "actor_type", "actor_id", "actor_name", "target_type", "target_id",
    "target_name", "project_id", "address", "details",
)  # fmt: skip

# What a spreadsheet may take for a formula, in some countries in full width too: https://owasp.org/www-community/attacks/CSV_Injection
# Where a semicolon separates cells, a cell can begin in the middle of ours.
_FORMULA = re.compile(r"(^|[;\t])(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20\ufe62\u2212])")


def as_csv(batches: Iterable[list[AuditEvent]]) -> Iterator[str]:
    """A header, then a row an event. A cell that begins like a formula has an apostrophe first."""
    yield _rows([COLUMNS])
    for events in batches:
        yield _rows(_cells(event) for event in events)


def as_json_lines(batches: Iterable[list[AuditEvent]]) -> Iterator[str]:
    """One object an event, each in a line of its own."""
    for events in batches:
        yield "".join(f"{orjson.dumps(_object(event)).decode()}\n" for event in events)


def csv_error(words: str) -> str:
    """The last row of a file that is not whole."""
    return _rows([["error", words]])


def json_error(words: str) -> str:
    """The last line of a file that is not whole."""
    return f"{orjson.dumps({'error': words}).decode()}\n"


def _object(event: AuditEvent) -> dict[str, Any]:
    target = {"type": event.target_type, "id": event.target_id, "name": event.target_name}
    return {
        "id": event.id,
        "at": rfc3339(event.at),
        "action": event.action,
        "actor": {"type": event.actor_type, "id": _actor_id(event), "name": event.actor_name},
        "target": target if event.target_id else None,
        "project_id": event.project_id,
        "address": event.address,
        "details": event.details,
    }


def _cells(event: AuditEvent) -> list[str]:
    values = (
        event.id, rfc3339(event.at), event.action, event.actor_type, _actor_id(event),
        event.actor_name, event.target_type, event.target_id, event.target_name, event.project_id,
        event.address, orjson.dumps(event.details).decode(),
    )  # fmt: skip
    return [_harmless(value or "") for value in values]


def _harmless(cell: str) -> str:
    return _FORMULA.sub(r"\1'", cell)


def _actor_id(event: AuditEvent) -> str | None:
    """None for those who have no id."""
    return None if event.actor_id == event.actor_type else event.actor_id


def _rows(rows: Iterable[Iterable[str]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
