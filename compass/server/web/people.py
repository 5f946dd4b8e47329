"""Settings → Organization → People: who is here, and who was invited."""

from typing import Any

import flask
from flask import Response, flash, redirect, url_for
from htmx_flask import request
from werkzeug.wrappers import Response as AnyResponse
from wtforms import EmailField, Form, StringField

from compass.server.core import access, invitations, leaver, projects, resets, users
from compass.server.core.errors import Conflict, Invalid
from compass.server.core.models import User
from compass.server.db import transaction
from compass.server.web import refusals
from compass.server.web.door import announce, me, my_projects, render, web
from compass.server.web.forms import show_errors

PATH = "/settings/organization/people"


class InviteForm(Form):
    email = EmailField("Email")
    role = StringField("Role in the organization")
    project = StringField("Project")
    project_role = StringField("Role in that project")


@web.get(PATH)
def list_people() -> Response:
    access.require_organization_admin(me())
    context = _browse()
    response = render("people/_list.html", "people/index.html", **context, form=InviteForm())
    total = context["found"].total
    return announce(response, f"{total} {'person' if total == 1 else 'people'}.", shown=False)


@web.get(f"{PATH}/new")
def new_invitation() -> Response:
    access.require_organization_admin(me())
    form = InviteForm(request.args)
    return _index(form=form, opened=True)


@web.post(PATH)
def invite() -> Response:
    form = InviteForm(request.form)
    try:
        with transaction():
            token, invitation = invitations.create(
                me(),
                form.email.data or "",
                form.role.data or "",
                form.project.data or "",
                form.project_role.data or "",
            )
    except Invalid as invalid:
        show_errors(form, invalid)
        return _index(422, form=form, opened=True)
    link = url_for("web.show_invitation", token=token)
    return _index(form=InviteForm(), link=link, invitation=invitation)


@web.post(f"{PATH}/invitations/<invitation_id>/revoke")
def revoke_invitation(invitation_id: str) -> AnyResponse:
    with transaction():
        invitation = invitations.revoke(me(), invitation_id)
    flash(f"The invitation of {invitation.email} was revoked.")
    return redirect(url_for("web.list_people"), 303)


@web.get(f"{PATH}/<user_id>")
def show_person(user_id: str) -> Response:
    access.require_organization_admin(me())
    return _person(users.get(user_id))


@web.get(f"{PATH}/<user_id>/role")
def confirm_demote(user_id: str) -> AnyResponse:
    """Before an organization admin becomes a member: what stops with that."""
    access.require_organization_admin(me())
    user = users.get(user_id)
    if not user.is_admin:
        return redirect(url_for("web.show_person", user_id=user_id))
    report = leaver.report(user, as_admin=True)
    page = flask.render_template("people/demote.html", person=user, report=report)
    return flask.make_response(page)


@web.post(f"{PATH}/<user_id>/role")
def change_organization_role(user_id: str) -> AnyResponse:
    try:
        with transaction():
            # Who may not do this learns nothing of who is here.
            access.require_organization_admin(me())
            user = users.get(user_id)
            role = invitations.parse_role(request.form.get("role") or "-")
            (users.promote if role == "admin" else users.demote)(me(), user)
    except (Conflict, Invalid) as refusal:
        return _refused(user_id, refusal)
    flash(f"{user.name} is {'an admin' if user.is_admin else 'a member'} of the organization now.")
    if not access.is_organization_admin(me()):
        return redirect(url_for("web.account"), 303)
    return redirect(url_for("web.show_person", user_id=user_id), 303)


@web.get(f"{PATH}/<user_id>/disable")
def confirm_disable(user_id: str) -> Response:
    access.require_organization_admin(me())
    user = users.get(user_id)
    if user.disabled_at is not None:
        return _person(user)
    page = flask.render_template("people/disable.html", person=user, report=leaver.report(user))
    return flask.make_response(page)


@web.post(f"{PATH}/<user_id>/disable")
def disable_person(user_id: str) -> AnyResponse:
    try:
        with transaction():
            access.require_organization_admin(me())
            user = users.get(user_id)
            users.disable(me(), user)
    except Conflict as conflict:
        return _refused(user_id, conflict)
    flash(f"{user.name} was disabled.")
    return redirect(url_for("web.show_person", user_id=user_id), 303)


@web.post(f"{PATH}/<user_id>/enable")
def enable_person(user_id: str) -> AnyResponse:
    with transaction():
        access.require_organization_admin(me())
        user = users.get(user_id)
        users.enable(me(), user)
    flash(f"{user.name} can sign in again.")
    return redirect(url_for("web.show_person", user_id=user_id), 303)


@web.get(f"{PATH}/<user_id>/reset-link")
def reload_reset_link(user_id: str) -> AnyResponse:
    """Where a reload of what comes below leads."""
    return redirect(url_for("web.show_person", user_id=user_id))


@web.post(f"{PATH}/<user_id>/reset-link")
def hand_out_reset_link(user_id: str) -> AnyResponse:
    try:
        with transaction():
            access.require_organization_admin(me())
            user = users.get(user_id)
            token = resets.create(me(), user)
    except Conflict as conflict:
        return _refused(user_id, conflict)
    return _person(user, link=url_for("web.show_reset", token=token))


def _refused(user_id: str, refusal: Conflict | Invalid) -> Response:
    """The person as they are now, with the reason."""
    status = 409 if isinstance(refusal, Conflict) else 422
    refusals.note(refusal, status)
    return _person(users.get(user_id), status, conflict=str(refusal))


def _person(user: User, status: int = 200, **context: Any) -> Response:
    page = flask.render_template(
        "people/person.html",
        person=user,
        memberships=projects.memberships([user.id])[user.id],
        last_login=users.last_logins([user.id]).get(user.id),
        report=leaver.report(user),
        **context,
    )
    return flask.make_response(page, status)


def _index(status: int = 200, **context: Any) -> Response:
    page = flask.render_template("people/index.html", **_browse(blank=True), **context)
    return flask.make_response(page, status)


def _browse(blank: bool = False) -> dict[str, Any]:
    """The list as the address asks for it; nonsense there is as good as nothing."""
    args: dict[str, str] = {} if blank else request.args
    q = args.get("q", "").replace("\0", "").strip()[:100]
    number = args.get("page", "")
    is_small = number.isascii() and number.isdigit() and len(number) < 9
    found = users.page(q, int(number) if is_small else 1)
    return {
        "q": q,
        "found": found,
        "memberships": projects.memberships([user.id for user in found.users]),
        "invitations": invitations.pending(),
        "projects": my_projects(),
        "page_url": lambda page: url_for("web.list_people", q=q or None, page=page),
    }
