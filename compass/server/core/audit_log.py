"""The record, read by those who may: in pages, and as a stream."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from compass.server.core import access, audit_search, keys, users
from compass.server.core.access import Operator, Person
from compass.server.core.audit_filter import Filter, meant
from compass.server.core.errors import Forbidden
from compass.server.core.ids import is_id
from compass.server.core.models import AuditEvent, Key, Membership, Project, Role, User
from compass.server.db import db

PAGE_SIZE = 50
BATCH = 500

# To choose from; others are typed.
_SUGGESTED = 100


@dataclass(frozen=True)
class Page:
    """Newest first. `newer` and `older` are cursors, None where there are no such events."""

    events: list[AuditEvent]
    newer: str | None
    older: str | None


def may_open(actor: Person | Operator) -> bool:
    """Whether there is a part of the record that they may see."""
    projects = _projects(actor)
    return projects is None or bool(projects)


def scope(actor: Person | Operator) -> list[str] | None:
    """The projects whose events they may see now; None: all events. Raises Forbidden."""
    projects = _projects(actor)
    if projects == []:
        raise Forbidden(
            "Only administrators can see the audit log: all of it, or that of their projects. "
            f"Ask {keys.names(users.admins())}."
        )
    return projects


def visible_projects(actor: Person | Operator) -> list[Project]:
    """The projects to choose from, by name. Raises Forbidden."""
    query, places = select(Project).order_by(Project.name), scope(actor)
    return list(
        db.session.scalars(query if places is None else query.where(Project.id.in_(places)))
    )


def people(actor: Person | Operator) -> list[User]:
    """Some to choose from, by name: everybody, or who is in one of their projects.

    Raises Forbidden.
    """
    query, places = select(User).order_by(User.name).limit(_SUGGESTED), scope(actor)
    if places is not None:
        members = select(Membership.user_id).where(Membership.project_id.in_(places))
        query = query.where(User.id.in_(members))
    return list(db.session.scalars(query))


def page(actor: Person | Operator, wanted: Filter, before: str = "", after: str = "") -> Page:
    """The events before or after this id, else the newest; and so where there are none there.

    Raises Forbidden.
    """
    arms = audit_search.arms(scope(actor), meant(actor, wanted), wanted)
    if after:
        ids = audit_search.ids(arms, PAGE_SIZE + 1, after=after)
        # Of less than a page the newest one is the whole.
        if len(ids) >= PAGE_SIZE:
            shown = ids[PAGE_SIZE - 1 :: -1]
            return Page(_events(shown), shown[0] if len(ids) > PAGE_SIZE else None, shown[-1])
    ids = audit_search.ids(arms, PAGE_SIZE + 1, before=before)
    if before and not ids:
        return page(actor, wanted)
    shown, more = ids[:PAGE_SIZE], len(ids) > PAGE_SIZE
    return Page(_events(shown), shown[0] if before else None, shown[-1] if more else None)


def stream(actor: Person | Operator, wanted: Filter) -> Iterator[list[AuditEvent]]:
    """All of them, newest first, in batches: each read by itself, and only while they still may.

    Between two batches nothing is kept and no transaction is open, however long that takes.
    Raises Forbidden, also in the middle, once they may see less than at the start.
    """
    which, before, places = meant(actor, wanted), "", scope(actor)
    while True:
        if not _covers(scope(actor), places):
            raise Forbidden("Your right to see all of this has ended.")
        arms = audit_search.arms(places, which, wanted)
        events = _events(audit_search.ids(arms, BATCH, before=before))
        for event in events:
            db.session.expunge(event)
        db.session.rollback()
        if events:
            yield events
        if len(events) < BATCH:
            return
        before = events[-1].id


def _covers(places: list[str] | None, others: list[str] | None) -> bool:
    return places is None or (others is not None and set(others) <= set(places))


def keys_to_link(actor: Person | Operator, events: list[AuditEvent]) -> set[str]:
    """The ids of those keys in these events that are still there for them to see."""
    named = {each or "" for event in events for each in (event.actor_id, event.target_id)}
    ids = [each for each in named if is_id(each, "key")]
    return set(db.session.scalars(select(Key.id).where(Key.id.in_(ids), access.visible(actor))))


def emails(events: list[AuditEvent]) -> dict[str, str]:
    """User id → address, of those who did these."""
    ids = {event.actor_id for event in events if event.actor_type == "user"}
    query = select(User.id, User.email).where(User.id.in_(ids))
    return {row.id: row.email for row in db.session.execute(query)}


def _projects(actor: Person | Operator) -> list[str] | None:
    """Asked of the database each time: a stream goes on for long, and what they are may end."""
    if isinstance(actor, Operator):
        return None
    user = db.session.execute(
        select(User.is_admin, User.disabled_at).where(User.id == actor.id)
    ).one()
    if user.disabled_at is not None:
        return []
    if user.is_admin:
        return None
    administered = select(Membership.project_id).where(
        Membership.user_id == actor.id, Membership.role == Role.ADMIN
    )
    return list(db.session.scalars(administered))


def _events(ids: list[str]) -> list[AuditEvent]:
    query = select(AuditEvent).where(AuditEvent.id.in_(ids)).order_by(AuditEvent.id.desc())
    return list(db.session.scalars(query)) if ids else []
