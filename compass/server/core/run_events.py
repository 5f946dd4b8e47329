"""What happened in a run: written by `runs` and `execution`, and read by everybody in the project.

An event of a step holds what it asked and what it was answered, without credentials: for the steps
after it, and for people, who see neither the values of headers nor answers of any length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select

from compass.server.core.clock import now
from compass.server.core.run_models import EventType, Run, RunEvent
from compass.server.db import db

MASK = "•••"
# What a header says may be a secret; what these say is not.
PLAIN_HEADERS = {
    "accept", "age", "cache-control", "content-encoding", "content-length", "content-type", "date",
    "idempotency-key", "last-modified", "retry-after", "user-agent", "vary", "x-request-id",
}  # fmt: skip
LONGEST_SHOWN = 64 * 1024
_START = 2000

Json = Any

_INSERT = insert(RunEvent)


@dataclass(frozen=True)
class Happened:
    """An event to be recorded."""

    type: EventType
    step: str | None = None
    data: Json | None = None


def add(connection: Connection, run_id: str, last_seq: int, events: list[Happened]) -> None:
    """The caller has counted up the run's `last_seq`: that is the number of the last of these."""
    moment = now()
    first = last_seq - len(events) + 1
    rows = [
        {"run_id": run_id, "seq": seq, "at": moment, **vars(event)}
        for seq, event in enumerate(events, first)
    ]
    connection.execute(_INSERT, rows)


def after(run: Run, seq: int, limit: int) -> Iterator[RunEvent]:
    """From the one after `seq` on, one at a time: some are large."""
    query = select(RunEvent).where(RunEvent.run_id == run.id, RunEvent.seq > seq)
    query = query.order_by(RunEvent.seq).limit(limit)
    return iter(db.session.scalars(query.execution_options(yield_per=1)))


def shown(data: Json | None) -> Json | None:
    """What of an event's data people see."""
    if not isinstance(data, dict):
        return data
    seen = {**data}
    for member in ("asked", "answered"):
        if isinstance(seen.get(member), dict) and isinstance(seen[member].get("headers"), dict):
            headers = seen[member]["headers"].items()
            seen[member] = {**seen[member], "headers": {n: _plain(n, v) for n, v in headers}}
        seen |= {member: _shortened(seen[member])} if member in seen else {}
    return seen


def _plain(name: str, value: Json) -> Json:
    return value if name.lower() in PLAIN_HEADERS else MASK


def _shortened(value: Json) -> Json:
    text = orjson.dumps(value)
    if len(text) <= LONGEST_SHOWN:
        return value
    return {"truncated": True, "bytes": len(text), "start": text[:_START].decode(errors="ignore")}
