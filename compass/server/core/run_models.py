"""The tables of runs: apart from models.py, which holds what lasts. Runs are removed with time."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from compass.server.core.clock import now
from compass.server.core.ids import new_id
from compass.server.core.models import as_words
from compass.server.db import JsonText, Model


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self not in UNFINISHED


UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)
# Written out: by parameters neither database would see that the small index below is enough.
IS_UNFINISHED = text("runs.status IN ('queued', 'running')")


class EventType(StrEnum):
    QUEUED = "queued"
    STARTED = "started"
    STEP_STARTED = "step_started"
    STEP_SUCCEEDED = "step_succeeded"
    STEP_FAILED = "step_failed"
    HANDED_BACK = "handed_back"
    LEASE_EXPIRED = "lease_expired"
    CANCEL_REQUESTED = "cancel_requested"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Run(Model):
    """One carrying out of a workflow, with the definition as it was when it was asked for.

    No foreign keys to the workflow and whoever started it: runs outlive both.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_project_id_id", "project_id", "id"),
        Index("ix_runs_project_id_status_id", "project_id", "status", "id"),
        Index("ix_runs_project_id_workflow_id_id", "project_id", "workflow_id", "id"),
        Index(
            "ix_runs_project_id_workflow_id_status_id",
            *("project_id", "workflow_id", "status", "id"),
        ),
        # The few that are not over, for the sweep: most runs are.
        Index(
            "ix_runs_unfinished",
            "status",
            "id",
            sqlite_where=text("status IN ('queued', 'running')"),
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("run"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    workflow_id: Mapped[str]
    workflow_name: Mapped[str] = mapped_column(String(80))
    workflow_version: Mapped[int]
    # input_schema, steps, output.
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    input: Mapped[Any] = mapped_column(JSON)
    status: Mapped[RunStatus] = mapped_column(as_words(RunStatus), default=RunStatus.QUEUED)
    output: Mapped[Any] = mapped_column(JsonText, nullable=True)
    error_code: Mapped[str | None] = mapped_column(String(40))
    error_step: Mapped[str | None] = mapped_column(String(40))
    error_message: Mapped[str | None] = mapped_column(String(1000))
    # Grows each time that a worker takes it. What an earlier attempt still writes is refused.
    attempt: Mapped[int] = mapped_column(default=0)
    # How many of those workers were lost.
    losses: Mapped[int] = mapped_column(default=0)
    # Until then its worker is believed to be alive.
    lease_until: Mapped[datetime | None]
    # The number of its latest event.
    last_seq: Mapped[int] = mapped_column(default=0)
    cancel_requested_at: Mapped[datetime | None]
    starter_type: Mapped[str] = mapped_column(String(10))
    starter_id: Mapped[str]
    starter_name: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @property
    def name(self) -> str:
        """What the record of it is called."""
        return self.workflow_name


class RunEvent(Model):
    """What happened in a run. What a step was answered is kept here, for the steps after it."""

    __tablename__ = "run_events"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    type: Mapped[EventType] = mapped_column(as_words(EventType))
    step: Mapped[str | None] = mapped_column(String(40))
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class RunRequest(Model):
    """An Idempotency-Key that a key sent lately, and the run that it got for it."""

    __tablename__ = "run_requests"

    key_id: Mapped[str] = mapped_column(ForeignKey("keys.id", ondelete="CASCADE"), primary_key=True)
    # SHA-256 of the header, and of the body.
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[str] = mapped_column(String(64))
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
