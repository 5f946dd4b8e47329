"""Workflows: create, find, replace, delete. Only admins write them; any key may run them."""

from typing import Any

from sqlalchemy import func, select, update

from compass.server.core import access, audit, definitions, rows
from compass.server.core.access import Actor
from compass.server.core.clock import now
from compass.server.core.definitions import Definition
from compass.server.core.errors import Conflict, Findings, Invalid, NotFound, Taken
from compass.server.core.expressions import escaped
from compass.server.core.ids import is_id
from compass.server.core.models import (
    Connection,
    ConnectionKind,
    Project,
    Workflow,
    WorkflowConnection,
)
from compass.server.core.rows import unique
from compass.server.core.text import clean_name
from compass.server.db import changed, db

MEMBERS = {"name", "input_schema", "steps", "output"}


def create(actor: Actor, project: Project, document: dict[str, Any]) -> Workflow:
    """Raises Forbidden, Invalid, and Conflict for a name that is taken."""
    access.require_project_admin(actor, project)
    name, definition, ids = _check(project, document)
    workflow = Workflow(project_id=project.id, name=name, definition=definition.as_json())
    workflow.uses = [WorkflowConnection(connection_id=each) for each in ids]
    db.session.add(workflow)
    with unique(_taken(name)):
        db.session.flush()
    audit.record(actor, "workflow.created", workflow)
    return workflow


def get(actor: Actor, project_id: str, workflow_id: str) -> Workflow:
    """Raises NotFound, also for one of a project that this actor is not in."""
    query = select(Workflow).where(Workflow.id == workflow_id, Workflow.project_id == project_id)
    may = is_id(workflow_id, "wfl") and actor.role_in(project_id)
    workflow = db.session.scalar(query) if may else None
    if workflow is None:
        raise NotFound("There is no such workflow.")
    return workflow


def after(project_id: str, cursor: str | None, limit: int) -> tuple[list[Workflow], str | None]:
    """Newest first, from the one after `cursor` on; and the next cursor."""
    query = select(Workflow).where(Workflow.project_id == project_id)
    return rows.after(query, Workflow.id, cursor, limit)


def replace(
    actor: Actor,
    project: Project,
    workflow_id: str,
    document: dict[str, Any],
    began_from: int | None = None,
) -> Workflow:
    """The whole of it, its name too. The same document again changes nothing.

    Raises NotFound, Forbidden, Invalid, and Conflict for a name that is taken, and for a version
    other than the one it `began_from`, if that is told.
    """
    access.require_project_admin(actor, project)
    workflow = get(actor, project.id, workflow_id)
    name, definition, ids = _check(project, document)
    claim = update(Workflow).where(Workflow.id == workflow.id)
    if not changed(claim.values(updated_at=Workflow.updated_at)):
        raise NotFound("There is no such workflow.")
    db.session.refresh(workflow)
    if (workflow.name, workflow.definition) == (name, definition.as_json()):
        return workflow
    if began_from not in {None, workflow.version}:
        raise Conflict(
            f"{workflow.name} was changed meanwhile: it is at version {workflow.version}, and you "
            f"began from version {began_from}."
        )
    kept = {each.connection_id: each for each in workflow.uses}
    workflow.name, workflow.definition = name, definition.as_json()
    workflow.version += 1
    workflow.updated_at = now()
    workflow.uses = [kept.get(each) or WorkflowConnection(connection_id=each) for each in ids]
    with unique(_taken(name)):
        db.session.flush()
    audit.record(actor, "workflow.changed", workflow, version=workflow.version)
    return workflow


def delete(actor: Actor, project: Project, workflow_id: str) -> None:
    """Its runs stay, and those that wait are carried out. Raises NotFound, Forbidden."""
    access.require_project_admin(actor, project)
    workflow = get(actor, project.id, workflow_id)
    audit.record(actor, "workflow.deleted", workflow)
    db.session.delete(workflow)
    db.session.flush()


def using(connection: Connection) -> list[Workflow]:
    """The workflows that use it, by name."""
    query = select(Workflow).join(WorkflowConnection)
    query = query.where(WorkflowConnection.connection_id == connection.id)
    return list(db.session.scalars(query.order_by(Workflow.name)))


def connections_of(workflow: Workflow) -> list[Connection]:
    """Those that it uses, by name."""
    query = select(Connection).join(WorkflowConnection)
    query = query.where(WorkflowConnection.workflow_id == workflow.id)
    return list(db.session.scalars(query.order_by(Connection.name)))


def counts(connection_ids: list[str]) -> dict[str, int]:
    """Connection → how many workflows use it; those that none uses are left out."""
    which = WorkflowConnection.connection_id
    query = (
        select(which, func.count().label("many")).where(which.in_(connection_ids)).group_by(which)
    )
    return {row.connection_id: row.many for row in db.session.execute(query)}


def _check(project: Project, document: dict[str, Any]) -> tuple[str, Definition, list[str]]:
    """(name, definition, ids of the connections it uses). Raises Invalid."""
    found = db.session.execute(
        select(Connection.name, Connection.id, Connection.kind).where(
            Connection.project_id == project.id
        )
    ).all()
    kinds: dict[str, ConnectionKind] = {row.name: row.kind for row in found}
    wrong = Findings()
    for member in sorted(set(document) - MEMBERS):
        with wrong:
            raise Invalid(**{escaped(member): f"Unknown. Known are {', '.join(sorted(MEMBERS))}."})
    with wrong:
        typed = document.get("name")
        if not isinstance(typed, str):
            raise Invalid(name="Give the workflow a name.")
        name = clean_name(typed, "name", "the workflow")
    with wrong:
        definition = definitions.check(document, kinds)
    wrong.settle()
    ids = [row.id for row in found if row.name in definition.connections]
    return name, definition, ids


def _taken(name: str) -> Taken:
    return Taken(f"There is already a workflow named {name} in this project. Choose another name.")
