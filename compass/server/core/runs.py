"""Runs, as those who ask for them see them: start, find, cancel. `execution` carries them out."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import defer

from compass.server.core import input_schema, rows, run_events
from compass.server.core.access import Actor
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Invalid, NotFound
from compass.server.core.ids import is_id, new_id
from compass.server.core.models import Workflow
from compass.server.core.rows import unique
from compass.server.core.run_events import Happened
from compass.server.core.run_models import IS_UNFINISHED, EventType, Run, RunRequest, RunStatus
from compass.server.core.text import is_hidden
from compass.server.db import LookUp, changed, db

ONCE_FOR = timedelta(hours=24)
LARGEST_INPUT = 1 << 20
# Of each status so many are counted for a page, whatever there is.
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Wanted:
    """What is to be run, checked. The definition is the run's own from now on."""

    project_id: str
    workflow_id: str
    name: str
    version: int
    definition: dict[str, Any]
    input: Any


@dataclass(frozen=True)
class Once:
    """An Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) and the body it came with."""

    key_id: str
    digest: str
    body: str

    @classmethod
    def of(cls, key_id: str, header: str, body: dict[str, Any]) -> "Once":
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        return cls(
            key_id,
            hashlib.sha256(header.encode()).hexdigest(),
            hashlib.sha256(text).hexdigest(),
        )


class Repeated(Conflict):
    """The same request was answered at this very moment."""


def prepare(actor: Actor, project_id: str, workflow: str, input_: Any) -> Wanted:
    """Looks at what is asked for, outside of any write transaction: checking takes its time.

    `workflow` is an id or a name. Raises NotFound, and Invalid with pointers into the input.
    """
    found = workflow_of(actor, project_id, workflow)
    check_size(input_)
    input_schema.validate(found.definition["input_schema"], input_)
    return Wanted(project_id, found.id, found.name, found.version, found.definition, input_)


def check_size(input_: Any) -> None:
    """Raises Invalid for what is too deep or too large to be looked at any further."""
    input_schema.check_depth(input_)
    if len(orjson.dumps(input_)) > LARGEST_INPUT:
        raise Invalid(input="The input may have 1 MiB at most.")


def create(actor: Actor, wanted: Wanted, once: Once | None = None) -> Run:
    """Accepts it. Once this is committed the run is never lost.

    Raises Repeated where the same Idempotency-Key won meanwhile: `already` has its run then.
    """
    assert actor.id is not None  # noqa: S101 (for the type checker: only people and keys run)
    values: dict[str, Any] = {
        "id": new_id("run"),
        "project_id": wanted.project_id,
        "workflow_id": wanted.workflow_id,
        "workflow_name": wanted.name,
        "workflow_version": wanted.version,
        "definition": wanted.definition,
        "input": wanted.input,
        "status": RunStatus.QUEUED,
        "attempt": 0,
        "losses": 0,
        "last_seq": 1,
        "starter_type": actor.type,
        "starter_id": actor.id,
        "starter_name": actor.name,
        "created_at": now(),
    }
    # Straight to the table: runs are asked for often, and nothing is to be looked up.
    connection = db.session.connection()
    connection.execute(_INSERT, values)
    run = Run(**values)
    run_events.add(connection, run.id, 1, [Happened(EventType.QUEUED)])
    if once is not None:
        outdated = RunRequest.created_at <= now() - ONCE_FOR
        changed(delete(RunRequest).where(_same(once), outdated))
        db.session.add(
            RunRequest(key_id=once.key_id, digest=once.digest, body=once.body, run_id=run.id)
        )
        with unique(Repeated("This Idempotency-Key is being answered already.")):
            db.session.flush()
    return run


def already(once: Once) -> Run | None:
    """The run that this Idempotency-Key got before. Raises Conflict where it had another body."""
    query = select(RunRequest).where(_same(once), RunRequest.created_at > now() - ONCE_FOR)
    found = db.session.scalar(query)
    if found is None:
        return None
    if found.body != once.body:
        raise Conflict(
            "This Idempotency-Key came with another body before. Use a new one for a new run."
        )
    return db.session.get(Run, found.run_id)


def get(actor: Actor, project_id: str, run_id: str) -> Run:
    """Raises NotFound, also for one of a project that this actor is not in."""
    query = select(Run).where(Run.id == run_id, Run.project_id == project_id)
    may = is_id(run_id, "run") and actor.role_in(project_id)
    run = db.session.scalar(query) if may else None
    if run is None:
        raise NotFound("There is no such run.")
    return run


def after(
    project_id: str,
    cursor: str | None,
    limit: int,
    status: RunStatus | None = None,
    workflow: str | None = None,
) -> tuple[list[Run], str | None]:
    """Newest first, from the one after `cursor` on; and the next cursor.

    `workflow` is an id or a name, also of one that is gone or was called that.
    """
    query = select(Run).where(Run.project_id == project_id).options(defer(Run.definition))
    if status is not None:
        query = query.where(Run.status == status)
    if workflow is not None:
        query = query.where(_of_workflow(project_id, workflow))
    return rows.after(query, Run.id, cursor, limit)


def counts(project_id: str, workflow_id: str | None = None) -> dict[RunStatus, int]:
    """How many of each status, up to MOST_COUNTED: more than that nobody counts."""
    found = {}
    for status in RunStatus:
        some = select(Run.id).where(Run.project_id == project_id, Run.status == status)
        if workflow_id is not None:
            some = some.where(Run.workflow_id == workflow_id)
        count = select(func.count()).select_from(some.limit(MOST_COUNTED).subquery())
        found[status] = db.session.scalar(count) or 0
    return found


def cancel(actor: Actor, project_id: str, run_id: str) -> Run:
    """One that waits is cancelled at once, one that runs before its next step.

    Asking again changes nothing. Raises NotFound, and Conflict for one that is over.
    """
    run = get(actor, project_id, run_id)
    asked = _cancel(actor, run.id)
    db.session.refresh(run)
    if run.status.is_over and not asked:
        was = "was cancelled" if run.status is RunStatus.CANCELLED else f"has {run.status}"
        raise Conflict(f"This run {was} already, so it can't be cancelled.")
    return run


def unfinished_of(key_id: str) -> list[str]:
    """The ids of the runs that this key started and that are not over."""
    query = select(Run.id).where(IS_UNFINISHED, _started_by(key_id))
    return list(db.session.scalars(query.order_by(Run.id)))


def cancel_all_of(actor: Actor, key_id: str) -> int:
    """Cancels what this key started and is not over, for somebody who may revoke it."""
    return sum(_cancel(actor, run_id) for run_id in unfinished_of(key_id))


def _cancel(actor: Actor, run_id: str) -> bool:
    """Whether this changed anything."""
    asked = Happened(
        EventType.CANCEL_REQUESTED,
        data={"by": {"type": actor.type, "id": actor.id, "name": actor.name}},
    )
    moment = now()
    waiting = update(Run).where(Run.id == run_id, Run.status == RunStatus.QUEUED)
    running = update(Run).where(
        Run.id == run_id, Run.status == RunStatus.RUNNING, Run.cancel_requested_at.is_(None)
    )
    ended = {"status": RunStatus.CANCELLED, "finished_at": moment}
    for claim, events, values in (
        (waiting, [asked, Happened(EventType.CANCELLED)], ended),
        (running, [asked], {}),
    ):
        values |= {"cancel_requested_at": moment, "last_seq": Run.last_seq + len(events)}
        seq = db.session.scalar(claim.values(values).returning(Run.last_seq))
        if seq is not None:
            run_events.add(db.session.connection(), run_id, seq, events)
            return True
    return False


_INSERT = insert(Run)
_ASKED = (Workflow.id, Workflow.name, Workflow.version, Workflow.definition)
_in_project = select(*_ASKED).where(Workflow.project_id == bindparam("project_id"))
_by_id = LookUp(_in_project.where(Workflow.id == bindparam("workflow")))
_by_name = LookUp(_in_project.where(Workflow.name == bindparam("workflow")))


def workflow_of(actor: Actor, project_id: str, workflow: str) -> Any:
    """By its id or name: its id, name, version and definition. Raises NotFound."""
    found = None
    if actor.role_in(project_id) and not any(map(is_hidden, workflow)):
        look_up = _by_id if is_id(workflow, "wfl") else _by_name
        found = look_up(project_id=project_id, workflow=workflow)
    if found is None:
        raise NotFound(f"There is no workflow {workflow[:100]} in this project.")
    return found


def _of_workflow(project_id: str, workflow: str) -> ColumnElement[bool]:
    if is_id(workflow, "wfl"):
        return Run.workflow_id == workflow
    now_called = select(Workflow.id).where(
        Workflow.project_id == project_id, Workflow.name == workflow
    )
    return or_(Run.workflow_name == workflow, Run.workflow_id == now_called.scalar_subquery())


def _same(once: Once) -> ColumnElement[bool]:
    return (RunRequest.key_id == once.key_id) & (RunRequest.digest == once.digest)


def _started_by(key_id: str) -> ColumnElement[bool]:
    return (Run.starter_type == "key") & (Run.starter_id == key_id)
