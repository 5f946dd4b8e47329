"""The record of what was done, written in the transaction of what it records."""

from sqlalchemy import select

from compass.server.core.access import Actor
from compass.server.core.models import AuditEvent, Key, Project, User
from compass.server.db import db

LISTED = 50

Detail = str | int | bool | None


def record(
    actor: Actor, action: str, target: User | Project | Key | None, **details: Detail
) -> None:
    """Adds one event. `action` is `noun.verb`; details are plain values, never a secret."""
    db.session.add(
        AuditEvent(
            action=action,
            actor_type=actor.type,
            actor_id=actor.id or actor.type,
            actor_name=actor.name,
            target_type=type(target).__name__.lower() if target else None,
            target_id=target.id if target else None,
            target_name=target.name if target else None,
            project_id=_project_of(target),
            address=actor.address,
            details=details,
        )
    )


def of_key(key: Key) -> list[AuditEvent]:
    """What was done to this key, the latest first, at most LISTED. For whoever may see it."""
    query = select(AuditEvent).where(AuditEvent.target_id == key.id)
    return list(db.session.scalars(query.order_by(AuditEvent.id.desc()).limit(LISTED)))


def _project_of(target: User | Project | Key | None) -> str | None:
    if isinstance(target, Key):
        return target.project_id
    return target.id if isinstance(target, Project) else None
