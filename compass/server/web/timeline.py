"""A run as people read it: every step of its own definition, with what happened to it so far."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from compass.server.core import run_events
from compass.server.core.run_models import EventType, Run, RunEvent
from compass.server.web.documents import pretty

# Of one value so much is shown: the API has more.
LONGEST = 16_000

_CUT = "\n… The rest of it is left out here: the API has it."

Json = Any


@dataclass
class Note:
    """What happened beside the steps."""

    at: datetime
    words: str


@dataclass
class Entry:
    """A step, or (as number 0) what was before the first one.

    `state` is waiting, running, done, failed, interrupted or not reached; `seq` is of the latest
    event that changed anything about it.
    """

    number: int
    name: str = ""
    connection: str = ""
    asks: str = ""
    state: str = "waiting"
    attempt: int = 0
    seconds: float | None = None
    began: datetime | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    answered: list[tuple[str, str]] = field(default_factory=list)
    error: str | None = None
    notes: list[Note] = field(default_factory=list)
    seq: int = 0


def of(run: Run, events: Iterable[RunEvent]) -> list[Entry]:
    entries = [Entry(0), *(_waiting(number, each) for number, each in _numbered(run))]
    by_name = {entry.name: entry for entry in entries}
    current = entries[0]
    for event in events:
        if event.step is not None and event.step in by_name:
            current = by_name[event.step]
        _apply(current, event)
        current.seq = event.seq
    if run.status.is_over:
        for entry in entries[1:]:
            ended = {"waiting": "not reached", "running": "interrupted"}.get(entry.state)
            if ended:
                entry.state, entry.seq = ended, run.last_seq
    return entries


def shown_json(value: Json) -> str:
    """JSON as people read it, and of what is very long its beginning."""
    if len(orjson.dumps(value)) <= LONGEST:
        return pretty(value)
    if isinstance(value, str):
        return json.dumps(value[:LONGEST], ensure_ascii=False) + _CUT
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return text[:LONGEST] + _CUT


def _numbered(run: Run) -> Iterable[tuple[int, dict[str, Any]]]:
    return enumerate(run.definition["steps"], start=1)


def _waiting(number: int, step: dict[str, Any]) -> Entry:
    asks = step["sql"] if "sql" in step else f"{step['method']} {step['path']}"
    return Entry(number, step["name"], step["connection"], asks)


def _apply(entry: Entry, event: RunEvent) -> None:
    data = run_events.shown(event.data) or {}
    if event.type is EventType.STEP_STARTED:
        entry.state, entry.began = "running", event.at
        entry.attempt = data.get("attempt", 1)
    elif event.type in {EventType.STEP_SUCCEEDED, EventType.STEP_FAILED}:
        is_done = event.type is EventType.STEP_SUCCEEDED
        entry.state = "done" if is_done else "failed"
        entry.attempt = data.get("attempt", entry.attempt)
        entry.seconds = data["ms"] / 1000 if "ms" in data else None
        entry.asked, entry.answered = _members(data.get("asked")), _members(data.get("answered"))
        entry.error = data.get("message")
    elif event.type in {EventType.HANDED_BACK, EventType.LEASE_EXPIRED}:
        if entry.state == "running":
            entry.state = "interrupted"
        entry.notes.append(Note(event.at, _WORDS[event.type]))
    elif event.type is EventType.CANCEL_REQUESTED:
        who = data.get("by", {}).get("name", "Somebody")
        entry.notes.append(Note(event.at, f"{who} cancelled the run."))
    elif event.type is EventType.STARTED and data.get("attempt", 1) > 1:
        entry.notes.append(Note(event.at, f"A worker took it up: attempt {data['attempt']}."))


_WORDS = {
    EventType.HANDED_BACK: "Its worker was stopped and gave it back, for another one to go on.",
    EventType.LEASE_EXPIRED: "Its worker was lost. Another one goes on behind the last step that "
    "ended.",
}


def _members(value: Json) -> list[tuple[str, str]]:
    """(name, text) of each: texts as they are, so that SQL has its lines, the rest as JSON."""
    if value is None:
        return []
    if not isinstance(value, dict):
        return [("value", shown_json(value))]
    if value.keys() == {"truncated", "bytes", "start"}:
        return [(f"{value['bytes']:,} bytes, which begin", value["start"])]
    return [(name, _text(each)) for name, each in value.items() if each is not None]


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[:LONGEST] + _CUT
    return shown_json(value)
