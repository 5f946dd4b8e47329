"""Invitations, password resets, whom a secret was shown to, and where a person was last.

Secrets that are there already were shown to whoever the record says made them.
"""

import sqlalchemy as sa
from alembic import op

from compass.server.db import UTCDateTime

revision = "0005"
down_revision = "0004"

_keys = sa.table("keys", sa.column("id", sa.String()), sa.column("creator_id", sa.String()))
_secrets = sa.table(
    "key_secrets",
    sa.column("id", sa.Integer()),
    sa.column("key_id", sa.String()),
    sa.column("hint", sa.String()),
    sa.column("shown_to_id", sa.String()),
)
_events = sa.table(
    "audit_events",
    sa.column("id", sa.String()),
    sa.column("action", sa.String()),
    sa.column("actor_type", sa.String()),
    sa.column("actor_id", sa.String()),
    sa.column("target_id", sa.String()),
    sa.column("details", sa.JSON()),
)


def upgrade() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("project_id", sa.String(), sa.ForeignKey("projects.id", ondelete="SET NULL")),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("creator_id", sa.String(), sa.ForeignKey("users.id")),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("accepted_at", UTCDateTime()),
        sa.Column("revoked_at", UTCDateTime()),
        sa.UniqueConstraint("token_hash"),
        sa.Index("ix_invitations_email", "email"),
        sa.Index("ix_invitations_project_id", "project_id"),
        sa.Index("ix_invitations_creator_id", "creator_id"),
    )
    op.create_table(
        "password_resets",
        sa.Column(
            "user_id",
            sa.String(),
            sa.ForeignKey("users.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("creator_id", sa.String(), sa.ForeignKey("users.id")),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.UniqueConstraint("token_hash"),
        sa.Index("ix_password_resets_creator_id", "creator_id"),
    )
    with op.batch_alter_table("users") as batch:
        batch.add_column(sa.Column("last_project_id", sa.String()))
        batch.create_foreign_key(
            batch.f("fk_users_last_project_id_projects"),
            "projects",
            ["last_project_id"],
            ["id"],
            ondelete="SET NULL",
        )
    with op.batch_alter_table("key_secrets") as batch:
        batch.add_column(sa.Column("shown_to_id", sa.String()))
        batch.create_foreign_key(
            batch.f("fk_key_secrets_shown_to_id_users"), "users", ["shown_to_id"], ["id"]
        )
        batch.create_index("ix_key_secrets_shown_to_id", ["shown_to_id"])
    # Without it, deleting a project would look through all keys for each of its keys.
    op.create_index("ix_keys_revoker_key_id", "keys", ["revoker_key_id"])
    _remember_who_saw()


def downgrade() -> None:
    op.drop_index("ix_keys_revoker_key_id", "keys")
    with op.batch_alter_table("key_secrets") as batch:
        batch.drop_index("ix_key_secrets_shown_to_id")
        batch.drop_constraint(batch.f("fk_key_secrets_shown_to_id_users"), type_="foreignkey")
        batch.drop_column("shown_to_id")
    with op.batch_alter_table("users") as batch:
        batch.drop_constraint(batch.f("fk_users_last_project_id_projects"), type_="foreignkey")
        batch.drop_column("last_project_id")
    op.drop_table("password_resets")
    op.drop_table("invitations")


def _remember_who_saw() -> None:
    """A key's first secret was shown to who created it; each later one to who rotated it, or, where
    the key did so itself, to whoever knew the one before."""
    connection = op.get_bind()
    maker = sa.select(_keys.c.creator_id).where(_keys.c.id == _secrets.c.key_id).scalar_subquery()
    connection.execute(sa.update(_secrets).values(shown_to_id=maker))
    rotations = sa.select(_events).where(_events.c.action == "key.rotated")
    knows: dict[str, str | None] = {}
    for event in connection.execute(rotations.order_by(_events.c.id)).all():
        first = sa.select(_keys.c.creator_id).where(_keys.c.id == event.target_id)
        before = knows.get(event.target_id, connection.scalar(first))
        now = event.actor_id if event.actor_type == "user" else before
        knows[event.target_id] = now
        new = sa.and_(
            _secrets.c.key_id == event.target_id, _secrets.c.hint == event.details.get("hint")
        )
        connection.execute(sa.update(_secrets).where(new).values(shown_to_id=now))
