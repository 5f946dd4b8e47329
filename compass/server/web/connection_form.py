"""The form of a connection: its fields, and what the rules make of them."""

from typing import Any

from wtforms import Form, StringField, TextAreaField

from compass.server.core.connections import Change
from compass.server.core.errors import Invalid, Taken
from compass.server.core.models import Connection, ConnectionKind
from compass.server.web.forms import show_errors

# The choice of a form that leaves what is stored as it is.
KEEP = "keep"

# Credentials, by how they are given → field → what the rules call it.
CREDENTIALS = {
    "bearer": {"token": "token"},
    "basic": {"username": "username", "basic_password": "password"},
    "header": {"header": "name", "value": "value"},
}
# A field left blank gets words of its own.
_BLANK = {
    "base_url": "Give the address, such as https://api.example.org/v2.",
    "host": "Give the name or address of the server.",
    "database": "Give the name of the database.",
    "user": "Give the name of the user.",
    "password": "Give the password.",
    "token": "Give the token.",
    "username": "Give the user name.",
    "basic_password": "Give the password.",
    "header": "Give the name of the header.",
    "value": "Give the value.",
}


class ConnectionForm(Form):
    name = StringField("Name")
    kind = StringField("Kind")
    base_url = StringField("Base URL")
    headers = TextAreaField("Headers")
    host = StringField("Host")
    port = StringField("Port")
    database = StringField("Database")
    user = StringField("User")
    sslmode = StringField("TLS")
    password = StringField("Password")
    auth = StringField("Credentials")
    token = StringField("Token")
    username = StringField("User name")
    basic_password = StringField("Password")
    header = StringField("Header")
    value = StringField("Value")


def blank() -> ConnectionForm:
    return ConnectionForm(kind=ConnectionKind.HTTP.value, auth="none", sslmode="prefer")


def of(connection: Connection) -> ConnectionForm:
    """Without its credentials: those never come back out."""
    config = connection.config
    lines = "\n".join(f"{name}: {value}" for name, value in config.get("headers", {}).items())
    return ConnectionForm(
        name=connection.name,
        kind=connection.kind.value,
        auth=KEEP,
        **{"sslmode": "prefer", **config, "headers": lines},
    )


def draft(form: ConnectionForm) -> dict[str, Any]:
    """For `connections.create`."""
    return {
        "name": form.name.data or "",
        "kind": form.kind.data or "",
        "config": _config(form),
        "credentials": _credentials(form) or {},
    }


def change(form: ConnectionForm) -> Change:
    """Credentials that were left blank stay as they are."""
    return Change(
        name=form.name.data or "",
        kind=form.kind.data or "",
        config=_config(form),
        credentials=_credentials(form),
    )


def show(form: ConnectionForm, refusal: Invalid | Taken) -> None:
    """Puts each sentence at its field."""
    if isinstance(refusal, Taken):
        show_errors(form, Invalid(name=str(refusal)))
        return
    shown = {}
    for pointer, sentence in refusal.errors.items():
        name = _field(form, pointer)
        is_blank = name in _BLANK and not (form[name].data or "").strip()
        if is_blank and pointer != "credentials":
            sentence = _BLANK[name]
        if name == "headers":
            sentence = _wrong_line(form.headers.data or "") or sentence
        shown[name] = sentence
    show_errors(form, Invalid(**shown))


def _field(form: ConnectionForm, pointer: str) -> str:
    where, _, member = pointer.partition("/")
    is_http = form.kind.data == ConnectionKind.HTTP
    if where != "credentials":
        return member or where
    if not is_http:
        return "password"
    names = CREDENTIALS.get(form.auth.data or "", {})
    return next((each for each, called in names.items() if called == member), "auth")


def _config(form: ConnectionForm) -> dict[str, Any]:
    if form.kind.data != ConnectionKind.POSTGRES:
        base_url = (form.base_url.data or "").strip()
        return {"base_url": base_url, "headers": _headers(form.headers.data or "")}
    return {
        "host": (form.host.data or "").strip(),
        "port": _port(form.port.data or ""),
        "database": form.database.data or "",
        "user": form.user.data or "",
        "sslmode": form.sslmode.data or None,
    }


def _credentials(form: ConnectionForm) -> dict[str, Any] | None:
    """None where nothing was given."""
    if form.kind.data == ConnectionKind.POSTGRES:
        return {"password": form.password.data} if form.password.data else None
    auth = form.auth.data or ""
    if auth == KEEP:
        return None
    fields = CREDENTIALS.get(auth, {})
    return {"auth": auth, **{called: form[each].data or "" for each, called in fields.items()}}


def _port(typed: str) -> int | str | None:
    """What is no number is left to the rules."""
    text = typed.strip()
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text


def _headers(typed: str) -> dict[str, str] | str:
    """What can't be read is left to the rules as it is, which refuse it."""
    if _wrong_line(typed):
        return typed
    lines = (line.partition(":") for line in typed.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in lines}


def _wrong_line(typed: str) -> str | None:
    seen = set()
    for number, line in enumerate(typed.splitlines(), start=1):
        name, colon, _ = line.partition(":")
        if line.strip() and not colon:
            return f"Line {number} has no colon: write Name: value."
        name = name.strip()
        if name and name.lower() in seen:
            return f"Line {number}: {name} is there twice."
        seen.add(name.lower())
    return None
