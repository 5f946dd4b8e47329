"""A project's connections: where its workflows may go, with credentials that nobody sees again."""

from typing import Any

from flask import Response, flash, url_for
from htmx_flask import request
from werkzeug.wrappers import Response as AnyResponse

from compass.server.core import access, audit, connections, workflows
from compass.server.core.connection_shapes import SSL_MODES
from compass.server.core.errors import Conflict, Invalid, Taken
from compass.server.core.ids import is_id
from compass.server.core.models import Connection, Project
from compass.server.db import transaction
from compass.server.web import connection_form, refusals
from compass.server.web.connection_form import ConnectionForm
from compass.server.web.door import announce, enter_project, go, me, render, web
from compass.server.web.projects import about

PATH = "/projects/<project_id>/connections"
LISTED = 50


@web.get(PATH)
def list_connections(project_id: str) -> Response:
    return _list(enter_project(project_id), connection_form.blank())


@web.get(f"{PATH}/new")
def new_connection(project_id: str) -> Response:
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    return _list(project, connection_form.blank(), opened=True)


@web.post(PATH)
def create_connection(project_id: str) -> AnyResponse:
    form = ConnectionForm(request.form)
    try:
        with transaction():
            project = enter_project(project_id)
            connection = connections.create(me(), project, **connection_form.draft(form))
    except (Invalid, Taken) as refusal:
        connection_form.show(form, refusal)
        return _list(enter_project(project_id), form, 422, opened=True)
    flash(f"{connection.name} is stored. Check that it works.")
    return go(_url("web.show_connection", connection))


@web.get(f"{PATH}/<connection_id>")
def show_connection(project_id: str, connection_id: str) -> Response:
    project = enter_project(project_id)
    connection = connections.get(me(), project.id, connection_id)
    history = audit.of(connection)
    return render(
        "connections/_check.html",
        "connections/connection.html",
        history=history,
        **_of(project, connection),
    )


@web.get(f"{PATH}/<connection_id>/edit")
def edit_connection(project_id: str, connection_id: str) -> Response:
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    connection = connections.get(me(), project.id, connection_id)
    return _edit(project, connection, connection_form.of(connection))


@web.post(f"{PATH}/<connection_id>/edit")
def change_connection(project_id: str, connection_id: str) -> AnyResponse:
    form = ConnectionForm(request.form)
    try:
        with transaction():
            project = enter_project(project_id)
            wanted = connection_form.change(form)
            connection = connections.change(me(), project, connection_id, wanted)
    except (Invalid, Conflict) as refusal:
        if isinstance(refusal, Invalid | Taken):
            connection_form.show(form, refusal)
        else:
            refusals.note(refusal, 422)
            form.form_errors.append(str(refusal))
        project = enter_project(project_id)
        return _edit(project, connections.get(me(), project.id, connection_id), form, 422)
    flash(f"{connection.name} was saved.")
    return go(_url("web.show_connection", connection))


@web.post(f"{PATH}/<connection_id>/check")
def check_connection(project_id: str, connection_id: str) -> AnyResponse:
    _, outcome = connections.check(me(), enter_project(project_id), connection_id)
    with transaction():
        project = enter_project(project_id)
        connection = connections.record_check(me(), project, connection_id, outcome)
    words = f"{connection.name}: {outcome.message}"
    if not request.htmx:
        flash(words, "good" if outcome.ok else "wrong")
        return go(_url("web.show_connection", connection))
    page = "connections/connection.html"
    return announce(render("connections/_check.html", page, **_of(project, connection)), words)


@web.get(f"{PATH}/<connection_id>/delete")
def confirm_delete_connection(project_id: str, connection_id: str) -> Response:
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    return _delete(project, connections.get(me(), project.id, connection_id))


@web.post(f"{PATH}/<connection_id>/delete")
def delete_connection(project_id: str, connection_id: str) -> AnyResponse:
    try:
        with transaction():
            project = enter_project(project_id)
            name = connections.get(me(), project.id, connection_id).name
            connections.delete(me(), project, connection_id)
    except Conflict as conflict:
        refusals.note(conflict, 409)
        project = enter_project(project_id)
        return _delete(project, connections.get(me(), project.id, connection_id), 409)
    flash(f"{name} was deleted.")
    return go(url_for("web.list_connections", project_id=project_id))


def _list(
    project: Project, form: ConnectionForm, status: int = 200, opened: bool = False
) -> Response:
    cursor = request.args.get("after", "")
    found, older = connections.after(project.id, cursor if is_id(cursor, "con") else None, LISTED)
    return render(
        "connections/_form.html",
        "connections/index.html",
        status,
        form=form,
        opened=opened,
        sslmodes=SSL_MODES,
        connections=found,
        older=older,
        cursor=cursor,
        counts=workflows.counts([each.id for each in found]),
        **about(project),
    )


def _edit(
    project: Project, connection: Connection, form: ConnectionForm, status: int = 200
) -> Response:
    shown = {"form": form, "sslmodes": SSL_MODES, **_of(project, connection)}
    return render("connections/_form.html", "connections/edit.html", status, **shown)


def _delete(project: Project, connection: Connection, status: int = 200) -> Response:
    page = "connections/delete.html"
    return render(page, page, status, **_of(project, connection))


def _of(project: Project, connection: Connection) -> dict[str, Any]:
    return {
        "connection": connection,
        "used_by": workflows.using(connection),
        **about(project),
    }


def _url(endpoint: str, connection: Connection) -> str:
    return url_for(endpoint, project_id=connection.project_id, connection_id=connection.id)
