"""One's own account: name and password."""

import flask
from flask import Response, redirect, request, url_for
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse
from wtforms import PasswordField, StringField

from compass.server.core import login, passwords, users
from compass.server.core.errors import Invalid
from compass.server.db import transaction
from compass.server.web.door import me, web
from compass.server.web.forms import show_errors


class NameForm(FlaskForm):
    name = StringField("Name")


class PasswordForm(FlaskForm):
    current_password = PasswordField("Current password")
    password = PasswordField("New password")


@web.get("/account")
def account() -> Response:
    return _page()


@web.post("/account")
def change_name() -> AnyResponse:
    form = NameForm()
    try:
        with transaction():
            users.rename(me(), me().user, form.name.data or "")
    except Invalid as invalid:
        show_errors(form, invalid)
        return _page(name_form=form, status=422)
    return redirect(url_for("web.account", saved="name"), 303)


@web.post("/account/password")
def change_password() -> AnyResponse:
    form, user = PasswordForm(), me().user
    email, address = user.email, request.remote_addr or ""
    try:
        with transaction():
            login.claim(email, address)
        if login.check(email, form.current_password.data or "") is None:
            with transaction():
                login.fail(email, address)
            raise Invalid(**{"current_password": "This is not your password."})
        new_hash = passwords.hash_password(form.password.data or "")
        with transaction():
            users.set_password(me(), me().user, new_hash, keep=current_user.session_id)
    except Invalid as invalid:
        show_errors(form, invalid)
        return _page(password_form=form, status=422)
    return redirect(url_for("web.account", saved="password"), 303)


def _page(
    name_form: NameForm | None = None, password_form: PasswordForm | None = None, status: int = 200
) -> Response:
    page = flask.render_template(
        "account.html",
        name_form=name_form or NameForm(formdata=None, name=me().user.name),
        password_form=password_form or PasswordForm(formdata=None),
        saved=request.args.get("saved"),
    )
    return flask.make_response(page, status)
