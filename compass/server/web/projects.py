"""Projects: all that one is in, and a project's own settings."""

from typing import Any

import flask
from flask import Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, StringField, TextAreaField

from compass.server.core import access, keys, projects, run_list
from compass.server.core.errors import Invalid
from compass.server.core.models import Project, Role
from compass.server.db import transaction
from compass.server.web.door import enter_project, me, my_projects, web
from compass.server.web.forms import show_errors


class ProjectForm(Form):
    name = StringField("Name")
    description = TextAreaField("Description")


class DeleteForm(Form):
    confirm = StringField("The project's name")


@web.get("/projects")
def list_projects() -> Response:
    return _list(ProjectForm())


@web.get("/projects/new")
def new_project() -> Response:
    access.require_organization_admin(me())
    return _list(ProjectForm(), opened=True)


@web.post("/projects")
def create_project() -> AnyResponse:
    form = ProjectForm(request.form)
    try:
        with transaction():
            project = projects.create(me(), form.name.data or "", form.description.data or "")
    except Invalid as invalid:
        show_errors(form, invalid)
        return _list(form, 422, opened=True)
    flash(f"{project.name} is ready. Add the people who work in it.")
    return redirect(url_for("web.list_members", project_id=project.id), 303)


@web.get("/projects/<project_id>")
def open_project(project_id: str) -> AnyResponse:
    """Where the project switcher leads."""
    project = enter_project(project_id)
    page = "web.list_runs" if run_list.any_in(project.id) else "web.show_project"
    return redirect(url_for(page, project_id=project.id))


@web.get("/projects/<project_id>/settings/general")
def show_project(project_id: str) -> Response:
    project = enter_project(project_id)
    return _general(project, ProjectForm(obj=project))


@web.post("/projects/<project_id>/settings/general")
def change_project(project_id: str) -> AnyResponse:
    form = ProjectForm(request.form)
    try:
        with transaction():
            project = enter_project(project_id)
            projects.change(me(), project, form.name.data or "", form.description.data or "")
    except Invalid as invalid:
        show_errors(form, invalid)
        return _general(enter_project(project_id), form, 422)
    flash(f"{project.name} was saved.")
    return redirect(url_for("web.show_project", project_id=project_id), 303)


@web.get("/projects/<project_id>/settings/general/delete")
def confirm_delete_project(project_id: str) -> Response:
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    return _delete(project, DeleteForm())


@web.post("/projects/<project_id>/settings/general/delete")
def delete_project(project_id: str) -> AnyResponse:
    form = DeleteForm(request.form)
    try:
        with transaction():
            project = enter_project(project_id)
            name = project.name
            projects.delete_for_good(me(), project, form.confirm.data or "")
    except Invalid as invalid:
        show_errors(form, invalid)
        return _delete(enter_project(project_id), form, 422)
    flash(f"{name} was deleted.")
    return redirect(url_for("web.list_projects"), 303)


def _list(form: ProjectForm, status: int = 200, opened: bool = False) -> Response:
    page = flask.render_template(
        "projects/index.html",
        form=form,
        opened=opened,
        projects=my_projects(),
        roles=projects.roles_of(me().user),
        sizes=projects.sizes([project.id for project in my_projects()]),
        may_create=access.is_organization_admin(me()),
    )
    return flask.make_response(page, status)


def _general(project: Project, form: ProjectForm, status: int = 200) -> Response:
    page = flask.render_template("projects/general.html", form=form, **about(project))
    return flask.make_response(page, status)


def _delete(project: Project, form: DeleteForm, status: int = 200) -> Response:
    page = flask.render_template(
        "projects/delete.html", form=form, live_keys=projects.live_keys(project), **about(project)
    )
    return flask.make_response(page, status)


def about(project: Project) -> dict[str, Any]:
    """What the pages of a project's settings share."""
    return {
        "project": project,
        "may_manage": me().role_in(project.id) is Role.ADMIN,
        "helpers": keys.names(projects.who_can_help(project)),
    }
