"""The lifetime that a rotation renews, and keys by expiry, so that it can be warned of.

Keys that are there already have the lifetime that lies between their creation and expiry.
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

from compass.server.db import UTCDateTime

revision = "0004"
down_revision = "0003"

_keys = sa.table(
    "keys",
    sa.column("id", sa.String()),
    sa.column("created_at", UTCDateTime()),
    sa.column("expires_at", UTCDateTime()),
    sa.column("lifetime_days", sa.Integer()),
)


def upgrade() -> None:
    op.add_column("keys", sa.Column("lifetime_days", sa.Integer()))
    op.create_index("ix_keys_expires_at", "keys", ["expires_at"])
    connection = op.get_bind()
    expiring = sa.select(_keys).where(_keys.c.expires_at.is_not(None))
    for key in connection.execute(expiring).all():
        change = sa.update(_keys).where(_keys.c.id == key.id)
        connection.execute(change.values(lifetime_days=_days(key.created_at, key.expires_at)))


def downgrade() -> None:
    op.drop_index("ix_keys_expires_at", "keys")
    with op.batch_alter_table("keys") as batch:
        batch.drop_column("lifetime_days")


def _days(created_at: datetime, expires_at: datetime) -> int:
    return max(1, round((expires_at - created_at).total_seconds() / 86_400))
