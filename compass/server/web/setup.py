"""The first start: the link that the server prints makes the first administrator."""

import flask
from flask import Response, abort, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import EmailField, Form, HiddenField, PasswordField, StringField

from compass.server import requests
from compass.server.core import login, passwords, setup, users
from compass.server.core.errors import Findings, Invalid
from compass.server.db import transaction
from compass.server.web.door import only_while, open_to_all, start_session, web
from compass.server.web.forms import show_errors


class SetupForm(Form):
    setup_token = HiddenField()
    email = EmailField("Email")
    name = StringField("Your name")
    password = PasswordField("Password")


@web.get("/setup")
@open_to_all
@only_while(setup.is_open)
def show_setup() -> Response:
    _check(request.args.get("setup_token", ""))
    return _page(SetupForm(request.args))


@web.post("/setup")
@open_to_all
@only_while(setup.is_open)
def do_setup() -> AnyResponse:
    form = SetupForm(request.form)
    _check(form.setup_token.data or "")
    address, agent = requests.address() or "", request.headers.get("User-Agent")
    wrong = Findings()
    with wrong:
        passwords.check(form.password.data or "")
    with wrong:
        users.clean(form.email.data or "", form.name.data or "")
    try:
        wrong.settle()
        password_hash = passwords.hash_password(form.password.data or "")
        with transaction():
            user = setup.complete(
                form.email.data or "", form.name.data or "", password_hash, address
            )
            session_id = login.succeed(user, None, address, agent)
    except Invalid as invalid:
        show_errors(form, invalid)
        return _page(form, 422)
    start_session(session_id, user)
    return redirect(url_for("web.list_keys"), 303)


def _check(token: str) -> None:
    """Answers 403 for a wrong token."""
    if not setup.is_token(token, current_app.config["SECRET_KEY"]):
        page = flask.render_template(
            "error.html",
            title="Not set up yet",
            words="Open the link that the server printed when it started.",
            dead_end=True,
        )
        abort(flask.make_response(page, 403))


def _page(form: SetupForm, status: int = 200) -> Response:
    return flask.make_response(flask.render_template("setup.html", form=form), status)
