"""Workflows, and which connections they use."""

import sqlalchemy as sa
from alembic import op

from compass.server.db import UTCDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "workflows",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column(
            "project_id",
            sa.String(),
            sa.ForeignKey("projects.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Index("uq_workflows_name", "project_id", "name", unique=True),
    )
    op.create_table(
        "workflow_connections",
        sa.Column(
            "workflow_id",
            sa.String(),
            sa.ForeignKey("workflows.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "connection_id",
            sa.String(),
            # Looked at when the transaction ends: with their project both go, in whatever order.
            sa.ForeignKey("connections.id", deferrable=True, initially="DEFERRED"),
            primary_key=True,
        ),
        sa.Index("ix_workflow_connections_connection_id", "connection_id"),
    )


def downgrade() -> None:
    op.drop_table("workflow_connections")
    op.drop_table("workflows")
