"""Signing in and out."""

import flask
from flask import Response, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as AnyResponse
from wtforms import EmailField, Form, HiddenField, PasswordField

from compass.server import requests
from compass.server.core import login as signing_in
from compass.server.core import sessions, setup
from compass.server.db import transaction
from compass.server.web.door import (
    end_session,
    is_signed_in,
    me,
    open_to_all,
    own_path,
    start_session,
    web,
)


class LoginForm(Form):
    email = EmailField("Email")
    password = PasswordField("Password")
    next = HiddenField()


@web.get("/login")
@open_to_all
def login() -> AnyResponse:
    target = own_path(request.args.get("next"))
    if is_signed_in():
        return redirect(target or url_for("web.home"))
    if setup.is_open():
        return redirect(url_for("web.show_setup"))
    return _page(LoginForm(next=target))


@web.post("/login")
@open_to_all
def do_login() -> AnyResponse:
    form = LoginForm(request.form)
    email, password = form.email.data or "", form.password.data or ""
    address, agent = requests.address() or "", request.headers.get("User-Agent")
    with transaction():
        signing_in.claim(email, address)
    proof = signing_in.check(email, password)
    with transaction():
        user = signing_in.accept(proof) if proof else None
        if user is None:
            signing_in.fail(email, address)
        else:
            if is_signed_in():
                sessions.end(me(), current_user.session_id)
            renewed = proof.renewed_hash if proof else None
            session_id = signing_in.succeed(user, renewed, address, agent)
    if user is None:
        form.form_errors.append("Email or password is wrong.")
        return _page(form, 422)
    start_session(session_id, user)
    return redirect(own_path(form.next.data) or url_for("web.home"), 303)


@web.post("/logout")
@open_to_all
def logout() -> AnyResponse:
    if is_signed_in():
        with transaction():
            sessions.end(me(), current_user.session_id)
    end_session()
    return redirect(own_path(request.form.get("next")) or url_for("web.login"), 303)


def _page(form: LoginForm, status: int = 200) -> Response:
    return flask.make_response(flask.render_template("login.html", form=form), status)
