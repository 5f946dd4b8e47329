"""Runs, as workers see them. The `runs` table is the truth: a worker takes a run by a conditional
UPDATE, holds it by a lease, and numbers its attempt, by which every later write of it is fenced.

What a step gave is recorded before the next one starts, so that whoever takes the run after a lost
worker goes on behind the last step that ended.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from compass.server.core import run_events
from compass.server.core.clock import now
from compass.server.core.ids import lowest
from compass.server.core.models import Connection
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
from compass.server.db import changed, db

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


@dataclass(frozen=True)
class Happened:
    """An event to be recorded."""

    type: EventType
    step: str | None = None
    data: Json | None = None


def claim(run_id: str) -> Claim | None:
    """Takes a run that waits, or whose worker was lost; None for one that can't be had.

    One that was to be cancelled, or has lost too many workers, ends here.
    """
    moment = now()
    seen = db.session.execute(select(*_SEEN).where(Run.id == run_id, _is_free(moment))).first()
    if seen is None:
        return None
    was_lost = seen.status is RunStatus.RUNNING
    attempt, losses = seen.attempt + 1, seen.losses + was_lost
    mine = update(Run).where(
        Run.id == run_id, Run.attempt == seen.attempt, Run.status == seen.status, _is_free(moment)
    )
    values = {
        "status": RunStatus.RUNNING,
        "attempt": attempt,
        "losses": losses,
        "lease_until": moment + LEASE,
        "started_at": seen.started_at or moment,
    }
    if not changed(mine.values(values)):
        return None
    definition = seen.definition
    taken = Claim(
        run_id, seen.project_id, attempt, seen.input, definition["steps"], definition["output"]
    )
    events = [Happened(EventType.LEASE_EXPIRED, data={"attempt": seen.attempt})] if was_lost else []
    if losses >= MOST_LOSSES:
        _give_up(taken, events, losses)
        return None
    if seen.cancel_requested_at is not None:
        _end(taken, RunStatus.CANCELLED, [*events, Happened(EventType.CANCELLED)])
        return None
    if seen.attempt > 0:
        taken.results = _results(run_id)
    events.append(Happened(EventType.STARTED, data={"attempt": attempt}))
    record(taken, [*events, *_starting(taken)])
    return taken


def record(claim: Claim, events: list[Happened], **values: Any) -> bool:
    """Whether it is to be cancelled. Renews the lease. Raises LostError, having written nothing."""
    same = update(Run).where(
        Run.id == claim.id, Run.attempt == claim.attempt, Run.status == RunStatus.RUNNING
    )
    values = {"lease_until": now() + LEASE, "last_seq": Run.last_seq + len(events), **values}
    held = db.session.execute(
        same.values(values).returning(Run.last_seq, Run.cancel_requested_at),
        execution_options={"synchronize_session": False},
    ).first()
    if held is None:
        raise LostError
    for seq, event in enumerate(events, held.last_seq - len(events) + 1):
        run_events.add(claim.id, seq, event.type, event.step, event.data)
    return held.cancel_requested_at is not None


def record_step(claim: Claim, step: str, result: Json, told: Json) -> bool:
    """Keeps what a step that is not the last gave, and starts the next one.

    False where the run was cancelled instead. Raises LostError.
    """
    claim.results[step] = result
    done = Happened(EventType.STEP_SUCCEEDED, step, {"answered": result, **told})
    if record(claim, [done]):
        _end(claim, RunStatus.CANCELLED, [Happened(EventType.CANCELLED)])
        return False
    record(claim, _starting(claim))
    return True


def succeed(claim: Claim, step: str, result: Json, told: Json, output: Json) -> None:
    """Keeps what the last step gave, and the run's output. Raises LostError."""
    done = Happened(EventType.STEP_SUCCEEDED, step, {"answered": result, **told})
    _end(claim, RunStatus.SUCCEEDED, [done, Happened(EventType.SUCCEEDED)], output=output)


def fail_output(claim: Claim, step: str, result: Json, told: Json, message: str) -> None:
    """Keeps what the last step gave, though the run fails. Raises LostError."""
    done = Happened(EventType.STEP_SUCCEEDED, step, {"answered": result, **told})
    reason = {"code": "expression_error", "message": message[:1000]}
    _end(claim, RunStatus.FAILED, [done, Happened(EventType.FAILED, data=reason)],
         error_code="expression_error", error_message=message[:1000])  # fmt: skip


def fail(claim: Claim, code: str, message: str, step: str | None, told: Json | None = None) -> None:
    """Raises LostError."""
    reason = {"code": code, "message": message[:1000]}
    events = [Happened(EventType.FAILED, step, reason)]
    if step is not None:
        events.insert(0, Happened(EventType.STEP_FAILED, step, {**reason, **(told or {})}))
    _end(claim, RunStatus.FAILED, events, error_code=code, error_step=step,
         error_message=message[:1000])  # fmt: skip


def hand_back(claim: Claim) -> None:
    """For another worker to take, at once. Raises LostError."""
    event = Happened(EventType.HANDED_BACK, data={"attempt": claim.attempt})
    record(claim, [event], status=RunStatus.QUEUED, lease_until=None)


def renew(claim: Claim) -> bool:
    """Keeps the lease alive; False where it is lost."""
    same = update(Run).where(
        Run.id == claim.id, Run.attempt == claim.attempt, Run.status == RunStatus.RUNNING
    )
    return bool(changed(same.values(lease_until=now() + LEASE)))


def connection(claim: Claim, name: str) -> Any | None:
    """Its kind, config and sealed credentials, as they are now."""
    query = select(Connection.kind, Connection.config, Connection.sealed).where(
        Connection.project_id == claim.project_id, Connection.name == name
    )
    return db.session.execute(query).first()


def untended(limit: int) -> list[str]:
    """The ids of runs that wait though nobody was told of them, and of those whose worker was
    lost, the oldest first. Finding them again and again does no harm."""
    moment = now()
    untold = and_(Run.status == RunStatus.QUEUED, Run.id < lowest("run", moment - UNTOLD_AFTER))
    lost = and_(Run.status == RunStatus.RUNNING, Run.lease_until < moment)
    query = select(Run.id).where(IS_UNFINISHED, or_(untold, lost))
    return list(db.session.scalars(query.order_by(Run.id).limit(limit)))


def remove_old(days: int) -> int:
    """How many of the oldest were removed: at most REMOVED_AT_ONCE, and only what is over."""
    moment = now()
    changed(delete(RunRequest).where(RunRequest.created_at <= moment - ONCE_FOR))
    old = select(Run.id).where(
        Run.id < lowest("run", moment - timedelta(days=days)), Run.status.not_in(UNFINISHED)
    )
    ids = list(db.session.scalars(old.order_by(Run.id).limit(REMOVED_AT_ONCE)))
    return changed(delete(Run).where(Run.id.in_(ids))) if ids else 0


_SEEN = (
    Run.status, Run.attempt, Run.losses, Run.started_at, Run.project_id, Run.definition, Run.input,
    Run.cancel_requested_at,
)  # fmt: skip


def _is_free(moment: datetime) -> Any:
    lost = and_(Run.status == RunStatus.RUNNING, Run.lease_until < moment)
    return or_(Run.status == RunStatus.QUEUED, lost)


def _starting(claim: Claim) -> list[Happened]:
    step = claim.next_step
    if step is None:
        return []
    data = {"connection": step["connection"], "attempt": claim.attempt}
    return [Happened(EventType.STEP_STARTED, step["name"], data)]


def _results(run_id: str) -> dict[str, Json]:
    query = select(RunEvent.step, RunEvent.data).where(
        RunEvent.run_id == run_id, RunEvent.type == EventType.STEP_SUCCEEDED
    )
    return {row.step: row.data["answered"] for row in db.session.execute(query)}


def _end(claim: Claim, status: RunStatus, events: list[Happened], **values: Any) -> None:
    record(claim, events, status=status, finished_at=now(), lease_until=None, **values)


def _give_up(claim: Claim, events: list[Happened], losses: int) -> None:
    message = (
        f"{losses} workers that carried this run out were lost, so it was given up. Look into the "
        "log of the workers; then run it again."
    )
    reason = {"code": "worker_lost", "message": message}
    _end(claim, RunStatus.FAILED, [*events, Happened(EventType.FAILED, data=reason)],
         error_code="worker_lost", error_message=message)  # fmt: skip
