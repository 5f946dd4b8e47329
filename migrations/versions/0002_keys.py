"""Keys, and their secrets as rows of their own."""

import sqlalchemy as sa
from alembic import op

from compass.server.db import UTCDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column(
            "project_id",
            sa.String(),
            sa.ForeignKey("projects.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("owner_id", sa.String(), sa.ForeignKey("users.id"), index=True),
        sa.Column("creator_id", sa.String(), sa.ForeignKey("users.id"), index=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime()),
        sa.Column("revoked_at", UTCDateTime()),
        sa.Column("revoker_id", sa.String(), sa.ForeignKey("users.id")),
        sa.Column("revoker_key_id", sa.String(), sa.ForeignKey("keys.id", ondelete="SET NULL")),
        sa.Index("ix_keys_project_id_id", "project_id", "id"),
    )
    for index, columns, key_type in (
        ("uq_keys_service_account_name", ["project_id", "name"], "service_account"),
        ("uq_keys_personal_name", ["project_id", "owner_id", "name"], "personal"),
    ):
        live = sa.text(f"type = '{key_type}' AND revoked_at IS NULL")
        op.create_index(
            index, "keys", columns, unique=True, sqlite_where=live, postgresql_where=live
        )
    op.create_table(
        "key_secrets",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "key_id",
            sa.String(),
            sa.ForeignKey("keys.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("hint", sa.String(32), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime()),
        sa.Column("last_used_at", UTCDateTime()),
        sa.Column("last_used_address", sa.String(64)),
        sa.Column("last_used_agent", sa.String(200)),
    )


def downgrade() -> None:
    op.drop_table("key_secrets")
    op.drop_table("keys")
