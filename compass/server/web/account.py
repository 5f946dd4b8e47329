"""One's own account: name, password, and where one is signed in."""

import flask
from flask import Response, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, PasswordField, StringField

from compass.server import requests
from compass.server.core import login, passwords, sessions, throttle, users
from compass.server.core.errors import Findings, Invalid
from compass.server.db import transaction
from compass.server.web.door import me, web
from compass.server.web.forms import show_errors


class NameForm(Form):
    name = StringField("Name")


class PasswordForm(Form):
    current_password = PasswordField("Current password")
    password = PasswordField("New password")


@web.get("/account")
def account() -> Response:
    return _page()


@web.post("/account")
def change_name() -> AnyResponse:
    form = NameForm(request.form)
    try:
        with transaction():
            users.rename(me(), me().user, form.name.data or "")
    except Invalid as invalid:
        show_errors(form, invalid)
        return _page(name_form=form, status=422)
    flash("Your name was changed.")
    return redirect(url_for("web.account"), 303)


@web.get("/account/password")
def reload_password() -> AnyResponse:
    """Where a reload of the form below leads."""
    return redirect(url_for("web.account"))


@web.post("/account/password")
def change_password() -> AnyResponse:
    form = PasswordForm(request.form)
    email, address = me().user.email, requests.address() or ""
    current, new = form.current_password.data or "", form.password.data or ""
    wrong = Findings()
    with wrong:
        passwords.check(new)
    with wrong:
        proof = _prove(email, current, address)
    try:
        wrong.settle()
        new_hash = passwords.hash_password(new)
        with transaction():
            user = login.accept(proof)
            if user is None:
                raise Invalid(**{"current_password": "Your password was changed meanwhile."})
            users.set_password(me(), user, new_hash, keep=current_user.session_id)
    except Invalid as invalid:
        show_errors(form, invalid)
        return _page(password_form=form, status=422)
    flash("Your password was changed. Your other sessions were ended.")
    return redirect(url_for("web.account"), 303)


@web.post("/account/sessions/<handle>/end")
def end_session(handle: str) -> AnyResponse:
    with transaction():
        sessions.end_one(me(), handle)
    flash("The session was ended.")
    return redirect(url_for("web.account"), 303)


@web.post("/account/sessions/end-others")
def end_other_sessions() -> AnyResponse:
    with transaction():
        sessions.end_others(me(), current_user.session_id)
    flash("All your other sessions were ended.")
    return redirect(url_for("web.account"), 303)


def _prove(email: str, password: str, address: str) -> login.Proof:
    """Raises Invalid for a wrong password, Throttled for too many of them."""
    if not password:
        raise Invalid(**{"current_password": "Enter your current password."})
    with transaction():
        login.claim(email, address)
    proof = login.check(email, password)
    with transaction():
        if proof is None:
            login.fail(email, address, me())
        else:
            throttle.clear(email, address)
    if proof is None:
        raise Invalid(**{"current_password": "This is not your password."})
    return proof


def _page(
    name_form: NameForm | None = None, password_form: PasswordForm | None = None, status: int = 200
) -> Response:
    page = flask.render_template(
        "account.html",
        name_form=name_form or NameForm(name=me().user.name),
        password_form=password_form or PasswordForm(),
        sessions=sessions.live(me().user, current_user.session_id),
    )
    return flask.make_response(page, status)
