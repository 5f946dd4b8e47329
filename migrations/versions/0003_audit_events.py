"""The record of what was done."""

import sqlalchemy as sa
from alembic import op

from compass.server.db import UTCDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("actor_type", sa.String(20), nullable=False),
        sa.Column("actor_id", sa.String()),
        sa.Column("actor_name", sa.String(80), nullable=False),
        sa.Column("target_type", sa.String(20)),
        sa.Column("target_id", sa.String()),
        sa.Column("target_name", sa.String(80)),
        sa.Column("project_id", sa.String()),
        sa.Column("address", sa.String(64)),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Index("ix_audit_events_project_id_id", "project_id", "id"),
        sa.Index("ix_audit_events_target_id_id", "target_id", "id"),
    )


def downgrade() -> None:
    op.drop_table("audit_events")
