"""What the record is filtered by: an index for each set of filters, and for the names of keys.

Each ends in the id, which sorts by time: a page is read off it, whatever else there is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_INDEXES = {
    "ix_audit_events_action_id": ["action", "id"],
    "ix_audit_events_actor_id_id": ["actor_id", "id"],
    "ix_audit_events_actor_id_action_id": ["actor_id", "action", "id"],
    "ix_audit_events_project_id_action_id": ["project_id", "action", "id"],
    "ix_audit_events_project_id_actor_id_id": ["project_id", "actor_id", "id", "action"],
}

_events = sa.table(
    "audit_events", sa.column("actor_type", sa.String()), sa.column("actor_id", sa.String())
)


def upgrade() -> None:
    without_id = sa.update(_events).where(_events.c.actor_id.is_(None))
    op.execute(without_id.values(actor_id=_events.c.actor_type))
    for name, columns in _INDEXES.items():
        op.create_index(name, "audit_events", columns)
    op.create_index("ix_keys_name", "keys", ["name"])
    op.create_index("ix_key_secrets_hint", "key_secrets", ["hint"])


def downgrade() -> None:
    op.drop_index("ix_key_secrets_hint", "key_secrets")
    op.drop_index("ix_keys_name", "keys")
    for name in _INDEXES:
        op.drop_index(name, "audit_events")
    without_id = sa.update(_events).where(_events.c.actor_id == _events.c.actor_type)
    op.execute(without_id.values(actor_id=None))
