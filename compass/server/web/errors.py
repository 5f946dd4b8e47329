"""Errors as pages: what is wrong, and what to do."""

import flask
from flask import Response, g
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from compass.server.core.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refusal,
    Throttled,
)
from compass.server.requests import request_id, said
from compass.server.web import refusals

TITLES = {
    400: "That didn't work",
    403: "Not allowed",
    404: "Not found",
    405: "Not here",
    409: "Not possible now",
    410: "No longer valid",
    413: "Too large",
    422: "Something is missing",
    429: "Too many attempts",
    500: "Something broke",
    503: "Not ready",
}

WORDS = {
    400: "The request could not be understood. Go back, reload the page and try again.",
    404: "There is nothing at this address, or it is in a project that you are not in.",
    405: "This page can be opened, or its form sent, but not in this way.",
    413: "That is more than a form may hold.",
    500: "The error was logged. Try again; if it stays, give your administrator this number.",
    503: "The database does not answer. Try again in a moment.",
}

STATUS_OF: dict[type[Refusal], int] = {
    NotFound: 404,
    Forbidden: 403,
    Conflict: 409,
    Gone: 410,
    Invalid: 422,
    Throttled: 429,
}


def status_of(refusal: Refusal) -> int:
    return next(status for kind, status in STATUS_OF.items() if isinstance(refusal, kind))


def answer(error: Exception) -> Response:
    """The one place where an error becomes a page."""
    headers = {}
    if isinstance(error, Refusal):
        status, words = status_of(error), str(error)
        refusals.note(error, status)
    elif isinstance(error, CSRFError):
        status = 400
        words = "The form could not be checked. Go back, reload the page and try again."
    elif isinstance(error, HTTPException):
        if error.response is not None:
            return flask.make_response(error.response)
        status = error.code or 500
        words = said(error) or WORDS.get(status, error.description or "")
        headers = {k: v for k, v in error.get_headers() if k in {"Allow", "Retry-After"}}
        if status < 400:
            return flask.make_response(error.get_response())
    else:
        status = 503 if isinstance(error, OperationalError) else 500
        words = WORDS[status]
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(error.retry_after)
    g.without_database = status >= 500
    page = flask.render_template(
        "error.html",
        title=TITLES.get(status, "That didn't work"),
        words=words,
        number=request_id() if status >= 500 else None,
    )
    return flask.make_response(page, status, headers)
