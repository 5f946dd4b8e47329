"""Runs, what happened in them, and the idempotency keys that asked for them."""

import sqlalchemy as sa
from alembic import op

from compass.server.db import JsonText, UTCDateTime

revision = "0009"
down_revision = "0008"

_UNFINISHED = sa.text("status IN ('queued', 'running')")


def _of(table: str, name: str, **more: bool) -> sa.Column[str]:
    where = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, sa.String(), where, nullable=False, **more)


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(), primary_key=True),
        _of("projects", "project_id"),
        sa.Column("workflow_id", sa.String(), nullable=False),
        sa.Column("workflow_name", sa.String(80), nullable=False),
        sa.Column("workflow_version", sa.Integer(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("output", JsonText()),
        sa.Column("error_code", sa.String(40)),
        sa.Column("error_step", sa.String(40)),
        sa.Column("error_message", sa.String(1000)),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("lease_until", UTCDateTime()),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("cancel_requested_at", UTCDateTime()),
        sa.Column("starter_type", sa.String(10), nullable=False),
        sa.Column("starter_id", sa.String(), nullable=False),
        sa.Column("starter_name", sa.String(80), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("started_at", UTCDateTime()),
        sa.Column("finished_at", UTCDateTime()),
        sa.Index("ix_runs_project_id_id", "project_id", "id"),
        sa.Index("ix_runs_project_id_status_id", "project_id", "status", "id"),
        sa.Index("ix_runs_project_id_workflow_id_id", "project_id", "workflow_id", "id"),
        sa.Index(
            "ix_runs_unfinished",
            "status",
            "id",
            sqlite_where=_UNFINISHED,
            postgresql_where=_UNFINISHED,
        ),
    )
    op.create_table(
        "run_events",
        _of("runs", "run_id", primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("step", sa.String(40)),
        sa.Column("data", sa.JSON()),
    )
    op.create_table(
        "run_requests",
        _of("keys", "key_id", primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("body", sa.String(64), nullable=False),
        _of("runs", "run_id"),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Index("ix_run_requests_run_id", "run_id"),
        sa.Index("ix_run_requests_created_at", "created_at"),
    )


def downgrade() -> None:
    op.drop_table("run_requests")
    op.drop_table("run_events")
    op.drop_table("runs")
