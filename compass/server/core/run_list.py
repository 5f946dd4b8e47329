"""Runs as a page lists them: what a row shows of each, and never what it took and gave."""

from dataclasses import dataclass

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import load_only

from compass.server.core.models import Workflow
from compass.server.core.run_models import Run, RunStatus
from compass.server.db import db

PAGE_SIZE = 50

_SHOWN = (
    Run.id, Run.project_id, Run.workflow_id, Run.workflow_name, Run.workflow_version, Run.status,
    Run.error_message, Run.starter_type, Run.starter_name, Run.cancel_requested_at, Run.created_at,
    Run.started_at, Run.finished_at,
)  # fmt: skip


@dataclass(frozen=True)
class Filter:
    """Of one project. None asks for any."""

    project_id: str
    status: RunStatus | None = None
    workflow_id: str | None = None


@dataclass(frozen=True)
class Page:
    """Newest first. `newer` and `older` are the ids to go on from, where there are more."""

    runs: list[Run]
    newer: str | None = None
    older: str | None = None


def page(wanted: Filter, before: str = "", after: str = "") -> Page:
    """The runs before or after this id, else the newest; and so where there are none there."""
    if after:
        runs = _runs(query(wanted).where(Run.id > after).order_by(Run.id))
        # Of less than a page the newest one is the whole.
        if len(runs) >= PAGE_SIZE:
            shown = runs[PAGE_SIZE - 1 :: -1]
            return Page(shown, shown[0].id if len(runs) > PAGE_SIZE else None, shown[-1].id)
    some = query(wanted).order_by(Run.id.desc())
    runs = _runs(some.where(Run.id < before) if before else some)
    if before and not runs:
        return page(wanted)
    shown, more = runs[:PAGE_SIZE], len(runs) > PAGE_SIZE
    return Page(shown, shown[0].id if before else None, shown[-1].id if more else None)


def query(wanted: Filter) -> Select[Run]:
    """What of them a row shows: their inputs and outputs may be large."""
    some = select(Run).options(load_only(*_SHOWN, raiseload=True))
    some = some.where(Run.project_id == wanted.project_id)
    if wanted.status is not None:
        some = some.where(Run.status == wanted.status)
    if wanted.workflow_id is not None:
        some = some.where(Run.workflow_id == wanted.workflow_id)
    return some


def any_in(project_id: str) -> bool:
    """Whether this project has had a run that is still kept."""
    return bool(db.session.scalar(select(exists().where(Run.project_id == project_id))))


def workflows(project_id: str, limit: int) -> list[Workflow]:
    """Some to choose from, by name; no more of them than that."""
    query = select(Workflow).where(Workflow.project_id == project_id)
    query = query.options(load_only(Workflow.id, Workflow.name, raiseload=True))
    return list(db.session.scalars(query.order_by(Workflow.name).limit(limit)))


def last_name(project_id: str, workflow_id: str) -> str | None:
    """What a workflow was called when it last ran, though it be gone."""
    query = select(Run.workflow_name).where(
        Run.project_id == project_id, Run.workflow_id == workflow_id
    )
    return db.session.scalar(query.order_by(Run.id.desc()).limit(1))


def _runs(some: Select[Run]) -> list[Run]:
    return list(db.session.scalars(some.limit(PAGE_SIZE + 1)))
