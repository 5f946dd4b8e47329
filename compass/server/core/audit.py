"""The record of what was done, written in the transaction of what it records."""

from datetime import timedelta
from typing import cast

from sqlalchemy import select

from compass.server.core.access import Actor
from compass.server.core.clock import now
from compass.server.core.ids import is_id, lowest
from compass.server.core.models import (
    AuditEvent,
    Connection,
    Invitation,
    Key,
    Project,
    User,
    Workflow,
)
from compass.server.core.tokens import mask
from compass.server.db import db

LISTED = 50
REFUSALS_A_MINUTE = 20

Detail = str | int | bool | None


Target = User | Project | Key | Invitation | Connection | Workflow

# By what their ids are called in addresses; what is named first is what is acted on.
_KINDS: dict[str, tuple[str, type[Target]]] = {
    "key_id": ("key", Key),
    "connection_id": ("con", Connection),
    "workflow_id": ("wfl", Workflow),
    "invitation_id": ("inv", Invitation),
    "user_id": ("usr", User),
    "project_id": ("prj", Project),
}


def record(actor: Actor, action: str, target: Target | None, **details: Detail) -> AuditEvent:
    """Adds one event and returns it. `action` is `noun.verb`; details are plain values, never a
    secret."""
    event = AuditEvent(
        action=action,
        actor_type=actor.type,
        actor_id=actor.id or actor.type,
        actor_name=actor.name,
        target_type=type(target).__name__.lower() if target else None,
        target_id=target.id if target else None,
        target_name=target.name[:80] if target else None,
        project_id=_project_of(target),
        address=actor.address,
        details=details,
    )
    db.session.add(event)
    return event


def refused(actor: Actor, route: str, status: int, reason: str, spoken_of: dict[str, str]) -> None:
    """Records that something was tried which this actor may not do, or not now.

    `spoken_of`: what the address named, `key_id`, `user_id` or `project_id`, whether it is there
    or not. Of one person so many a minute are kept: a flood must not become writes.
    """
    if _has_tried_much(actor):
        return
    target: Target | None = None
    for name, (prefix, kind) in _KINDS.items():
        given = spoken_of.get(name, "")
        if target is None and is_id(given, prefix):
            target = cast(Target | None, db.session.get(kind, given))
    event = record(
        actor, "access.refused", target, route=route, status=status, reason=mask(reason)[:200]
    )
    project_id = spoken_of.get("project_id", "")
    if is_id(project_id, "prj"):
        event.project_id = project_id


def _has_tried_much(actor: Actor) -> bool:
    lately = select(AuditEvent.id).where(
        AuditEvent.actor_id == actor.id,
        AuditEvent.action == "access.refused",
        AuditEvent.id >= lowest("evt", now() - timedelta(minutes=1)),
    )
    found = db.session.scalars(lately.limit(REFUSALS_A_MINUTE)).all()
    return len(found) == REFUSALS_A_MINUTE


def of(target: Key | Connection | Workflow) -> list[AuditEvent]:
    """What was done to it, the latest first, at most LISTED. For whoever may see it."""
    query = select(AuditEvent).where(AuditEvent.target_id == target.id)
    return list(db.session.scalars(query.order_by(AuditEvent.id.desc()).limit(LISTED)))


def _project_of(target: Target | None) -> str | None:
    if isinstance(target, Key | Connection | Workflow):
        return target.project_id
    return target.id if isinstance(target, Project) else None
