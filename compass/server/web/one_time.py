"""What the one-time links open: an invitation, and a new password for somebody who lost theirs.

Both are for whoever holds the link, and not for somebody who is signed in: that browser is
somebody's already.
"""

import flask
from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, PasswordField, StringField

from compass.server import requests
from compass.server.core import invitations, login, passwords, resets
from compass.server.core.errors import Findings, Invalid
from compass.server.core.models import User
from compass.server.core.text import clean_name
from compass.server.db import transaction
from compass.server.web.door import is_signed_in, open_to_all, start_session, web
from compass.server.web.forms import show_errors


class AcceptForm(Form):
    name = StringField("Your name")
    password = PasswordField("Password")


class ResetForm(Form):
    password = PasswordField("New password")


@web.get("/invitations/<token>")
@open_to_all
def show_invitation(token: str) -> Response:
    return _taken() if is_signed_in() else _invitation(token, AcceptForm())


@web.post("/invitations/<token>")
@open_to_all
def accept_invitation(token: str) -> AnyResponse:
    if is_signed_in():
        return _taken()
    invitations.find(token)
    form = AcceptForm(request.form)
    name, password = form.name.data or "", form.password.data or ""
    wrong = Findings()
    with wrong:
        clean_name(name, "name", "yourself")
    with wrong:
        passwords.check(password)
    try:
        wrong.settle()
        password_hash = passwords.hash_password(password)
        with transaction():
            user = invitations.accept(token, name, password_hash, requests.address())
            session_id = _sign_in(user)
    except Invalid as invalid:
        show_errors(form, invalid)
        return _invitation(token, form, 422)
    start_session(session_id, user)
    return redirect(url_for("web.home"), 303)


@web.get("/reset/<token>")
@open_to_all
def show_reset(token: str) -> Response:
    return _taken() if is_signed_in() else _reset(token, ResetForm())


@web.post("/reset/<token>")
@open_to_all
def reset_password(token: str) -> AnyResponse:
    if is_signed_in():
        return _taken()
    resets.find(token)
    form = ResetForm(request.form)
    try:
        password_hash = passwords.hash_password(form.password.data or "")
        with transaction():
            user = resets.use(token, password_hash, requests.address())
            session_id = _sign_in(user)
    except Invalid as invalid:
        show_errors(form, invalid)
        return _reset(token, form, 422)
    start_session(session_id, user)
    return redirect(url_for("web.home"), 303)


def _sign_in(user: User) -> str:
    address, agent = requests.address() or "", request.headers.get("User-Agent")
    return login.succeed(user, None, address, agent)


def _invitation(token: str, form: AcceptForm, status: int = 200) -> Response:
    found = invitations.find(token)
    page = flask.render_template("one_time/invitation.html", form=form, invitation=found)
    return flask.make_response(page, status)


def _reset(token: str, form: ResetForm, status: int = 200) -> Response:
    found = resets.find(token)
    page = flask.render_template("one_time/reset.html", form=form, reset=found)
    return flask.make_response(page, status)


def _taken() -> Response:
    return flask.make_response(flask.render_template("one_time/taken.html"), 409)
