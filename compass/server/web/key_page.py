"""A key's own page, and what is done to a key from there or from its row in the list."""

from typing import Any

import flask
from flask import Response, flash, redirect, url_for
from htmx_flask import request
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, HiddenField, StringField

from compass.server.core import access, audit, keys, leaver, rotation, runs
from compass.server.core.access import Action
from compass.server.core.errors import Conflict, Invalid
from compass.server.core.models import Key
from compass.server.db import transaction
from compass.server.web import key_form, refusals
from compass.server.web.api_keys import PATH
from compass.server.web.door import announce, me, own_path, render, web
from compass.server.web.forms import show_errors


class RenameForm(Form):
    name = StringField("Name")


class RotateForm(Form):
    secret = StringField("The secret to replace")
    overlap_hours = StringField("The old secret goes on working for")
    expires_in_days = StringField("Expires")
    # Where to go on afterwards.
    next = HiddenField()


@web.get(f"{PATH}/<key_id>")
def show_key(key_id: str) -> Response:
    key = keys.get(me(), key_id)
    return render("keys/_row.html", "keys/key.html", focus="action", **_of(key))


@web.get(f"{PATH}/<key_id>/revoke")
def confirm_revoke(key_id: str) -> Response:
    key = keys.get(me(), key_id)
    access.require(me(), Action.REVOKE_KEY, key)
    if key.revoked_at is not None:
        row = render("keys/_row.html", "keys/key.html", focus="row", **_of(key))
        return announce(row, f"{key.name} was revoked already.")
    unfinished = len(runs.unfinished_of(key.id))
    return render("keys/_confirm_row.html", "keys/revoke.html", key=key, unfinished=unfinished)


@web.post(f"{PATH}/<key_id>/revoke")
def revoke_key(key_id: str) -> AnyResponse:
    with transaction():
        keys.revoke(me(), key_id)
        wanted = bool(request.form.get("cancel_runs"))
        cancelled = runs.cancel_all_of(me(), key_id) if wanted else 0
    key = keys.get(me(), key_id)
    words = f"Revoked {key.name}."
    if cancelled:
        words += f" Cancelled {cancelled} run{'' if cancelled == 1 else 's'} that it started."
    if not request.htmx:
        flash(words)
        return redirect(url_for("web.list_keys"), 303)
    row = render("keys/_row.html", "keys/key.html", focus="row", **_of(key))
    return announce(row, words)


@web.post(f"{PATH}/<key_id>/rename")
def rename_key(key_id: str) -> AnyResponse:
    form = RenameForm(request.form)
    try:
        with transaction():
            keys.rename(me(), key_id, form.name.data or "")
    except Invalid as invalid:
        show_errors(form, invalid)
        context = _of(keys.get(me(), key_id)) | {"rename_form": form}
        return render("keys/_rename.html", "keys/key.html", 422, **context)
    key = keys.get(me(), key_id)
    if not request.htmx:
        flash(f"Renamed to {key.name}.")
        return redirect(url_for("web.show_key", key_id=key_id), 303)
    return announce(
        render("keys/_rename.html", "keys/key.html", **_of(key)), f"Renamed to {key.name}."
    )


@web.get(f"{PATH}/<key_id>/rotate")
def ask_rotate(key_id: str) -> Response:
    key = keys.get(me(), key_id)
    try:
        rotation.require_rotatable(me(), key)
    except Conflict as conflict:
        return _conflict(key_id, conflict)
    days = request.args.get("expires_in_days", rotation.renewed_days(key))
    form = RotateForm(
        secret=str(key.secret.id),
        # From a report of somebody who goes: what they copied is to end soon.
        overlap_hours=request.args.get("overlap_hours", "1" if "next" in request.args else "24"),
        expires_in_days=str(days or ""),
        next=own_path(request.args.get("next")),
    )
    return _rotate_form(key, form)


@web.post(f"{PATH}/<key_id>/rotate")
def rotate_key(key_id: str) -> Response:
    form = RotateForm(request.form)
    hours = form.overlap_hours.data or ""
    days = form.expires_in_days.data if "expires_in_days" in request.form else None
    try:
        with transaction():
            secret, key = rotation.rotate(me(), key_id, hours, days, _secret_meant())
    except Invalid as invalid:
        show_errors(form, invalid)
        return _rotate_form(keys.get(me(), key_id), form, 422)
    except Conflict as conflict:
        return _conflict(key_id, conflict)
    shown = {"secret": secret, "back": own_path(form.next.data)} | _of(key)
    return render("keys/_rotated.html", "keys/key.html", **shown)


@web.get(f"{PATH}/<key_id>/service-account")
def reload_replacement(key_id: str) -> AnyResponse:
    """Where a reload of what comes below leads."""
    return redirect(url_for("web.show_key", key_id=key_id))


@web.post(f"{PATH}/<key_id>/service-account")
def replace_token(key_id: str) -> Response:
    """A service account in place of somebody's token, who is about to go."""
    try:
        with transaction():
            secret, key = leaver.replace(me(), key_id)
    except Invalid as invalid:
        raise Conflict(str(invalid)) from None
    back = own_path(request.form.get("next"))
    return render(
        "leaver/_replaced.html", "leaver/replaced.html", secret=secret, key=key, back=back
    )


@web.post(f"{PATH}/<key_id>/end-overlap")
def end_overlap(key_id: str) -> AnyResponse:
    with transaction():
        key = rotation.end_overlap(me(), key_id, _secret_meant())
    return _changed(key, f"The old secret of {key.name} has ended.")


@web.post(f"{PATH}/<key_id>/take-back")
def take_back(key_id: str) -> AnyResponse:
    try:
        with transaction():
            key = rotation.take_back(me(), key_id, _secret_meant())
    except Conflict as conflict:
        return _conflict(key_id, conflict)
    return _changed(key, f"The rotation of {key.name} was taken back.")


def _secret_meant() -> int | None:
    """Which secret the form was about: the key may have other ones since the page was shown."""
    typed = request.form.get("secret", "")
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else -1


def _changed(key: Key, words: str) -> AnyResponse:
    if not request.htmx:
        flash(words)
        back = own_path(request.form.get("next"))
        return redirect(back or url_for("web.show_key", key_id=key.id), 303)
    return announce(render("keys/_state.html", "keys/key.html", focus="secret", **_of(key)), words)


def _conflict(key_id: str, conflict: Conflict) -> Response:
    """The key as it is now, with the reason: the page that was acted on is out of date."""
    refusals.note(conflict, 409)
    key = keys.get(me(), key_id)
    context = {"conflict": str(conflict), **_of(key)}
    response = flask.make_response(flask.render_template("keys/key.html", **context), 409)
    if request.htmx:
        # Errors are not swapped in: the whole page is loaded anew, and says it there.
        flash(str(conflict), "wrong")
        response.headers["HX-Refresh"] = "true"
    return response


def _rotate_form(key: Key, form: RotateForm, status: int = 200) -> Response:
    shown = {"rotate_form": form, "lifetime": key_form.lifetime(form.expires_in_days.data or "")}
    return render("keys/_rotate.html", "keys/key.html", status, **shown, **_of(key))


def _of(key: Key) -> dict[str, Any]:
    return {
        "key": key,
        "may": _may,
        "history": audit.of(key),
        "rename_form": RenameForm(name=key.name),
    }


def _may(action: str, key: Key) -> bool:
    return access.may_touch(me(), Action(action), key)
