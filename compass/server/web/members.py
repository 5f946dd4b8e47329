"""A project's members: who works in it, and as what."""

from typing import Any

import flask
from flask import Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import EmailField, Form, StringField

from compass.server.core import access, invitations, leaver, projects, users
from compass.server.core.errors import Invalid
from compass.server.core.models import Project
from compass.server.db import transaction
from compass.server.web.door import enter_project, me, web
from compass.server.web.forms import show_errors
from compass.server.web.projects import about

PATH = "/projects/<project_id>/settings/members"


class AddForm(Form):
    email = EmailField("Email")
    role = StringField("Role")


@web.get(PATH)
def list_members(project_id: str) -> Response:
    return _list(enter_project(project_id), AddForm())


@web.get(f"{PATH}/new")
def new_member(project_id: str) -> Response:
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    return _list(project, AddForm(), opened=True)


@web.post(PATH)
def add_member(project_id: str) -> AnyResponse:
    form = AddForm(request.form)
    try:
        with transaction():
            project = enter_project(project_id)
            access.require_project_admin(me(), project)
            role = invitations.parse_role(form.role.data or "")
            user = projects.add_member(me(), project, form.email.data or "", role)
    except Invalid as invalid:
        show_errors(form, invalid)
        return _list(enter_project(project_id), form, 422, opened=True)
    flash(f"{user.name} is in {project.name} now.")
    return redirect(url_for("web.list_members", project_id=project_id), 303)


@web.post(f"{PATH}/<user_id>/role")
def change_role(project_id: str, user_id: str) -> AnyResponse:
    try:
        with transaction():
            project = enter_project(project_id)
            access.require_project_admin(me(), project)
            user = projects.member(project, user_id)
            role = invitations.parse_role(request.form.get("role") or "-")
            projects.set_member(me(), project, user, role)
    except Invalid as invalid:
        return _list(enter_project(project_id), AddForm(), 422, conflict=str(invalid))
    flash(f"{user.name} is {role} in {project.name} now.")
    return redirect(url_for("web.list_members", project_id=project_id), 303)


@web.get(f"{PATH}/<user_id>/role")
def reload_role(project_id: str, user_id: str) -> AnyResponse:
    """Where a reload of what comes below leads."""
    return redirect(url_for("web.list_members", project_id=project_id))


@web.get(f"{PATH}/<user_id>/remove")
def confirm_remove(project_id: str, user_id: str) -> Response:
    project = enter_project(project_id)
    if user_id != me().id:
        access.require_project_admin(me(), project)
    user = projects.member(project, user_id)
    page = flask.render_template(
        "members/remove.html", person=user, report=leaver.report(user, project), **about(project)
    )
    return flask.make_response(page)


@web.post(f"{PATH}/<user_id>/remove")
def remove_member(project_id: str, user_id: str) -> AnyResponse:
    with transaction():
        project = enter_project(project_id)
        if user_id != me().id:
            access.require_project_admin(me(), project)
        user = projects.member(project, user_id)
        projects.remove_member(me(), project, user)
    if user.id == me().id:
        flash(f"You left {project.name}.")
    else:
        flash(f"{user.name} was removed from {project.name}.")
    if projects.find(me(), project_id) is None:
        return redirect(url_for("web.list_projects"), 303)
    return redirect(url_for("web.list_members", project_id=project_id), 303)


def _list(project: Project, form: AddForm, status: int = 200, **context: Any) -> Response:
    shared = about(project)
    page = flask.render_template(
        "members/index.html",
        form=form,
        members=projects.members(project),
        admins=users.admins(),
        strangers=projects.strangers(project) if shared["may_manage"] else [],
        lingering=leaver.lingering(project) if shared["may_manage"] else [],
        **shared,
        **context,
    )
    return flask.make_response(page, status)
