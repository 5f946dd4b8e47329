"""Runs, as workers see them. The `runs` table is the truth: a worker takes a run by a conditional
UPDATE, holds it by a lease, and numbers its attempt, by which every later write of it is fenced.

What a step gave is recorded before the next one starts, so that whoever takes the run after a lost
worker goes on behind the last step that ended.

Workers do little else all day, so these statements are built once and go without a session: each
function that writes takes the connection of the caller's transaction.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    or_,
    select,
    update,
)

from compass.server.core import models, run_events
from compass.server.core.clock import now
from compass.server.core.ids import lowest
from compass.server.core.run_events import Happened
from compass.server.core.run_models import (
    IS_UNFINISHED,
    UNFINISHED,
    EventType,
    Run,
    RunEvent,
    RunRequest,
    RunStatus,
)
from compass.server.core.runs import ONCE_FOR
from compass.server.db import LookUp, db

LEASE = timedelta(seconds=10)
# A run that has waited for so long was not told to any worker.
UNTOLD_AFTER = timedelta(seconds=2)
MOST_LOSSES = 3
REMOVED_AT_ONCE = 200

Json = Any


class LostError(Exception):
    """The run is not this worker's any more: another one has it, or it is gone or over."""


@dataclass
class Claim:
    """A run that this worker holds. `results` is step → what it gave."""

    id: str
    project_id: str
    attempt: int
    input: Json
    steps: list[dict[str, Any]]
    output: Json
    results: dict[str, Json] = field(default_factory=dict)
    # Of all results, in bytes of JSON.
    size: int = 0

    @property
    def next_step(self) -> dict[str, Any] | None:
        return next((step for step in self.steps if step["name"] not in self.results), None)

    def is_last(self, step: dict[str, Any]) -> bool:
        return step is self.steps[-1]

    @property
    def context(self) -> dict[str, Json]:
        """What expressions are about."""
        return {"input": self.input, "steps": self.results}


def claim(connection: Connection, seen: Any) -> Claim | None:
    """Takes a run that waits, or whose worker was lost, as it was `seen`; None where it is not like
    that any more.

    One that was to be cancelled, or has lost too many workers, ends here.
    """
    was_lost = seen.status is RunStatus.RUNNING
    attempt, losses = seen.attempt + 1, seen.losses + was_lost
    definition = seen.definition
    taken = Claim(
        seen.id, seen.project_id, attempt, seen.input, definition["steps"], definition["output"]
    )
    events = [Happened(EventType.LEASE_EXPIRED, data={"attempt": seen.attempt})] if was_lost else []
    moment = now()
    values = {
        "attempt": attempt,
        "losses": losses,
        "status": RunStatus.RUNNING,
        "lease_until": moment + LEASE,
        "started_at": seen.started_at or moment,
    }
    is_over = True
    if losses >= MOST_LOSSES:
        values |= _given_up(losses)
        reason = {"code": values["error_code"], "message": values["error_message"]}
        events.append(Happened(EventType.FAILED, data=reason))
    elif seen.cancel_requested_at is not None:
        values |= _over(RunStatus.CANCELLED)
        events.append(Happened(EventType.CANCELLED))
    else:
        is_over = False
        if seen.attempt > 0:
            taken.results = _results(connection, seen.id)
        events += [Happened(EventType.STARTED, data={"attempt": attempt}), *_starting(taken)]
    as_seen = {"of": seen.id, "held": seen.attempt, "was": seen.status, "moment": moment}
    found = connection.execute(
        _changing(_FREE, *values), {**as_seen, **values, "events": len(events)}
    ).first()
    if found is None:
        return None
    run_events.add(connection, seen.id, found.last_seq, events)
    return None if is_over else taken


def record(connection: Connection, claim: Claim, events: list[Happened], **values: Any) -> bool:
    """Whether it is to be cancelled. Renews the lease. Raises LostError, having written nothing."""
    values = {"lease_until": now() + LEASE, **values}
    held = connection.execute(
        _changing(_HELD, *values),
        {"of": claim.id, "held": claim.attempt, **values, "events": len(events)},
    ).first()
    if held is None:
        raise LostError
    if events:
        run_events.add(connection, claim.id, held.last_seq, events)
    return held.cancel_requested_at is not None


def record_step(
    connection: Connection, claim: Claim, step: str, result: Json, told: dict[str, Json]
) -> bool:
    """Keeps what a step that is not the last gave, and starts the next one.

    False where the run was cancelled instead. Raises LostError.
    """
    claim.results[step] = result
    if record(connection, claim, [_done(step, result, told)]):
        ended = Happened(EventType.CANCELLED)
        record(connection, claim, [ended], **_over(RunStatus.CANCELLED))
        return False
    record(connection, claim, _starting(claim))
    return True


def succeed(
    connection: Connection, claim: Claim, step: str, result: Json, told: Json, output: Json
) -> None:
    """Keeps what the last step gave, and the run's output. Raises LostError."""
    events = [_done(step, result, told), Happened(EventType.SUCCEEDED)]
    record(connection, claim, events, **_over(RunStatus.SUCCEEDED), output=output)


def fail(
    connection: Connection,
    claim: Claim,
    code: str,
    message: str,
    step: str | None = None,
    told: dict[str, Json] | None = None,
) -> None:
    """`step` is the one that failed, if it was one. Raises LostError."""
    reason = {"code": code, "message": message[:1000]}
    events = [Happened(EventType.FAILED, step, reason)]
    if step is not None:
        events.insert(0, Happened(EventType.STEP_FAILED, step, {**reason, **(told or {})}))
    record(connection, claim, events, **_failed(code, message, step))


def fail_output(
    connection: Connection, claim: Claim, step: str, result: Json, told: Json, message: str
) -> None:
    """Keeps what the last step gave, though the run fails. Raises LostError."""
    failed = _failed("expression_error", message, None)
    reason = {"code": failed["error_code"], "message": failed["error_message"]}
    events = [_done(step, result, told), Happened(EventType.FAILED, data=reason)]
    record(connection, claim, events, **failed)


def hand_back(connection: Connection, claim: Claim) -> None:
    """For another worker to take, at once. Raises LostError."""
    event = Happened(EventType.HANDED_BACK, data={"attempt": claim.attempt})
    record(connection, claim, [event], status=RunStatus.QUEUED, lease_until=None)


def untended(limit: int) -> list[str]:
    """The ids of runs that wait though nobody was told of them, and of those whose worker was
    lost, the oldest first. Finding them again and again does no harm."""
    moment = now()
    untold = and_(Run.status == RunStatus.QUEUED, Run.id < lowest("run", moment - UNTOLD_AFTER))
    lost = and_(Run.status == RunStatus.RUNNING, Run.lease_until < moment)
    query = select(Run.id).where(IS_UNFINISHED, or_(untold, lost))
    return list(db.session.scalars(query.order_by(Run.id).limit(limit)))


def remove_old(connection: Connection, days: int, most: int = REMOVED_AT_ONCE) -> int:
    """How many of the oldest were removed: at most so many, and only what is over."""
    moment = now()
    connection.execute(delete(RunRequest).where(RunRequest.created_at <= moment - ONCE_FOR))
    old = select(Run.id).where(
        Run.id < lowest("run", moment - timedelta(days=days)), Run.status.not_in(UNFINISHED)
    )
    ids = list(connection.scalars(old.order_by(Run.id).limit(most)))
    if ids:
        connection.execute(delete(Run).where(Run.id.in_(ids)))
    return len(ids)


# A run that waits or runs, as it is before it is claimed.
see = LookUp(
    select(
        Run.id,
        Run.status,
        Run.attempt,
        Run.losses,
        Run.started_at,
        Run.project_id,
        Run.definition,
        Run.input,
        Run.cancel_requested_at,
    ).where(Run.id == bindparam("run_id"), IS_UNFINISHED)
)

# A connection of a project: its kind, config and sealed credentials, as they are now.
find_connection = LookUp(
    select(models.Connection.kind, models.Connection.config, models.Connection.sealed).where(
        models.Connection.project_id == bindparam("project_id"),
        models.Connection.name == bindparam("name"),
    )
)

_step_results: Select[Any] = select(RunEvent.step, RunEvent.data).where(
    RunEvent.run_id == bindparam("of"), RunEvent.type == EventType.STEP_SUCCEEDED
)

_HELD = and_(
    Run.id == bindparam("of"),
    Run.attempt == bindparam("held"),
    Run.status == RunStatus.RUNNING,
)
_FREE = and_(
    Run.id == bindparam("of"),
    Run.attempt == bindparam("held"),
    Run.status == bindparam("was"),
    or_(Run.status == RunStatus.QUEUED, Run.lease_until < bindparam("moment")),
)


@cache
def _changing(condition: Any, *columns: str) -> Update:
    """Sets these, and counts up the events; says what else there is to know."""
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    statement = update(Run).where(condition)
    return statement.values(values | {"last_seq": Run.last_seq + bindparam("events")}).returning(
        Run.last_seq, Run.cancel_requested_at
    )


def _starting(claim: Claim) -> list[Happened]:
    step = claim.next_step
    if step is None:
        return []
    data = {"connection": step["connection"], "attempt": claim.attempt}
    return [Happened(EventType.STEP_STARTED, step["name"], data)]


def _done(step: str, result: Json, told: dict[str, Json]) -> Happened:
    return Happened(EventType.STEP_SUCCEEDED, step, {**told, "answered": result})


def _results(connection: Connection, run_id: str) -> dict[str, Json]:
    rows = connection.execute(_step_results, {"of": run_id})
    return {row.step: row.data["answered"] for row in rows}


def _over(status: RunStatus) -> dict[str, Any]:
    return {"status": status, "finished_at": now(), "lease_until": None}


def _failed(code: str, message: str, step: str | None) -> dict[str, Any]:
    said = {"error_code": code, "error_step": step, "error_message": message[:1000]}
    return {**_over(RunStatus.FAILED), **said}


def _given_up(losses: int) -> dict[str, Any]:
    message = (
        f"{losses} workers that carried this run out were lost, so it was given up. Look into the "
        "log of the workers; then run it again."
    )
    return _failed("worker_lost", message, None)
