"""What runs are filtered and counted by: one workflow's, of one status.

A workflow that runs rarely has few rows among very many: they are read off an index of their own.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

_NAME = "ix_runs_project_id_workflow_id_status_id"


def upgrade() -> None:
    op.create_index(_NAME, "runs", ["project_id", "workflow_id", "status", "id"])


def downgrade() -> None:
    op.drop_index(_NAME, "runs")
