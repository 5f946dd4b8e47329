"""Connections: create, find, change, check, delete. Credentials go in, and never come back out."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from compass.server.config import settings
from compass.server.core import access, audit, connection_shapes, rows, targets, vault, workflows
from compass.server.core.access import Actor
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Findings, Invalid, NotFound, Taken
from compass.server.core.ids import is_id
from compass.server.core.models import Connection, ConnectionKind, Project
from compass.server.core.rows import unique
from compass.server.core.text import clean_name
from compass.server.db import changed, db

MOVED = (
    "The connection would lead somewhere else, or be less protected. Give the credentials again: "
    "what is stored is not sent to a new place."
)


@dataclass(frozen=True)
class Change:
    """Members that are None stay as they are."""

    name: str | None = None
    kind: str | None = None
    config: Any = None
    credentials: Any = None


def create(
    actor: Actor, project: Project, name: str, kind: str, config: Any, credentials: Any
) -> Connection:
    """Raises Forbidden, Invalid, and Conflict for a name that is taken."""
    access.require_project_admin(actor, project)
    wrong = Findings()
    with wrong:
        name = clean_name(name, "name", "the connection")
    with wrong:
        kind_ = _kind(kind)
        with wrong:
            config = connection_shapes.clean_config(kind_, config)
        with wrong:
            credentials = connection_shapes.clean_credentials(kind_, credentials)
    wrong.settle()
    connection = Connection(
        project_id=project.id,
        name=name,
        kind=kind_,
        config=config,
        sealed=vault.seal(credentials),
    )
    db.session.add(connection)
    with unique(_taken(name)):
        db.session.flush()
    audit.record(actor, "connection.created", connection, kind=kind_.value)
    return connection


def get(actor: Actor, project_id: str, connection_id: str) -> Connection:
    """Raises NotFound, also for one of a project that this actor is not in."""
    query = select(Connection).where(
        Connection.id == connection_id, Connection.project_id == project_id
    )
    may = is_id(connection_id, "con") and actor.role_in(project_id)
    connection = db.session.scalar(query) if may else None
    if connection is None:
        raise NotFound("There is no such connection.")
    return connection


def after(project_id: str, cursor: str | None, limit: int) -> tuple[list[Connection], str | None]:
    """Newest first, from the one after `cursor` on; and the next cursor."""
    query = select(Connection).where(Connection.project_id == project_id)
    return rows.after(query, Connection.id, cursor, limit)


def change(actor: Actor, project: Project, connection_id: str, wanted: Change) -> Connection:
    """Raises NotFound, Forbidden, Invalid, and Conflict for a name that is taken, and for a new
    name or kind while a workflow uses it."""
    access.require_project_admin(actor, project)
    connection = _locked(get(actor, project.id, connection_id))
    wrong = Findings()
    name, kind, config = connection.name, connection.kind, connection.config
    credentials: dict[str, Any] | None = None
    with wrong:
        if wanted.name is not None:
            name = clean_name(wanted.name, "name", "the connection")
    with wrong:
        if wanted.kind is not None:
            kind = _kind(wanted.kind)
        with wrong:
            if wanted.config is not None or kind is not connection.kind:
                config = connection_shapes.clean_config(kind, wanted.config)
        with wrong:
            if wanted.credentials is not None:
                credentials = connection_shapes.clean_credentials(kind, wanted.credentials)
    wrong.settle()
    moved = connection_shapes.is_moved(connection.kind, connection.config, kind, config)
    if moved and credentials is None:
        raise Invalid(credentials=MOVED)
    changes = _named_changes(connection, name, kind, config, credentials)
    if {"name", "kind"} & set(changes):
        _require_unused(connection, "given another name or kind")
    if changes:
        connection.name, connection.kind, connection.config = name, kind, config
        if credentials is not None:
            connection.sealed = vault.seal(credentials)
        connection.updated_at = now()
        if changes != ["name"]:
            # What was found out is not about this any more.
            connection.checked_at = connection.check_ok = connection.check_message = None
        with unique(_taken(name)):
            db.session.flush()
        audit.record(actor, "connection.changed", connection, changed=", ".join(changes))
    return connection


def delete(actor: Actor, project: Project, connection_id: str) -> None:
    """Raises NotFound, Forbidden, and Conflict while a workflow uses it."""
    access.require_project_admin(actor, project)
    connection = _locked(get(actor, project.id, connection_id))
    _require_unused(connection, "deleted")
    audit.record(actor, "connection.deleted", connection)
    db.session.delete(connection)
    db.session.flush()


def check(actor: Actor, project: Project, connection_id: str) -> tuple[Connection, targets.Outcome]:
    """Tries it for real, outside any transaction; `record_check` keeps the outcome.

    Raises NotFound, Forbidden.
    """
    access.require_project_admin(actor, project)
    connection = get(actor, project.id, connection_id)
    kind, config, sealed = connection.kind, connection.config, connection.sealed
    db.session.rollback()
    try:
        credentials = vault.unseal(sealed)
    except vault.SealedError as error:
        return connection, targets.Outcome(False, str(error))
    return connection, targets.check(kind, config, credentials)


def record_check(
    actor: Actor, project: Project, connection_id: str, outcome: targets.Outcome
) -> Connection:
    """Raises NotFound, Forbidden."""
    access.require_project_admin(actor, project)
    connection = get(actor, project.id, connection_id)
    connection.checked_at = now()
    connection.check_ok, connection.check_message = outcome.ok, outcome.message[:300]
    audit.record(actor, "connection.checked", connection, ok=outcome.ok)
    db.session.flush()
    return connection


def unopenable() -> list[Connection]:
    """Those whose credentials no key of the vault opens."""
    found = []
    has_keys = settings().has_vault_keys
    for connection in db.session.scalars(select(Connection).order_by(Connection.id)):
        if not has_keys:
            # Asking for them would make new ones.
            found.append(connection)
            continue
        try:
            vault.unseal(connection.sealed)
        except vault.SealedError:
            found.append(connection)
    return found


def _kind(typed: Any) -> ConnectionKind:
    if not isinstance(typed, str) or typed not in set(ConnectionKind):
        raise Invalid(kind=f"Give one of {', '.join(ConnectionKind)}.")
    return ConnectionKind(typed)


def _require_unused(connection: Connection, done: str) -> None:
    if names := [workflow.name for workflow in workflows.using(connection)]:
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise Conflict(f"{connection.name} is used by {listed}, so it can't be {done}.")


def _locked(connection: Connection) -> Connection:
    """Its row is ours until the transaction ends: two changes come one after the other."""
    same = update(Connection).where(Connection.id == connection.id)
    if not changed(same.values(updated_at=Connection.updated_at)):
        raise NotFound("There is no such connection.")
    db.session.refresh(connection)
    return connection


def _named_changes(
    connection: Connection,
    name: str,
    kind: ConnectionKind,
    config: dict[str, Any],
    credentials: dict[str, Any] | None,
) -> list[str]:
    """Which members change, for the record: never their values."""
    pairs = [
        ("name", name != connection.name),
        ("kind", kind is not connection.kind),
        ("config", config != connection.config),
        ("credentials", credentials is not None),
    ]
    return [member for member, is_other in pairs if is_other]


def _taken(name: str) -> Taken:
    return Taken(
        f"There is already a connection named {name} in this project. Choose another name."
    )
