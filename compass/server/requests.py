"""What every request has, whichever door it came through: an id, and safe headers."""

import logging
import random

from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.exceptions import BadRequest, HTTPException, LengthRequired, ServiceUnavailable

# Where the gate puts the status with which a request is to be refused.
REFUSED = "compass.refused"

log = logging.getLogger("compass.server")


class BrowserSessions(SecureCookieSessionInterface):
    """Cookies are the browser door's alone: the key door neither reads nor sends one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if is_key_door(request.path) else super().open_session(app, request)


def init_app(app: Flask) -> None:
    app.session_interface = BrowserSessions()
    app.before_request(_refuse)
    app.after_request(_finish)


def _refuse() -> None:
    """What the gate would not let in gets its answer here, in the shape of its door."""
    status = request.environ.get(REFUSED)
    if status == 503:
        raise ServiceUnavailable(
            "Too many clients are sending slowly. Try again in a moment.", retry_after=1
        )
    if status == 400:
        raise BadRequest("The request was cut off on its way. Send it again.")
    if status == 411:
        raise LengthRequired("Send the form with its length.")


def said(error: HTTPException) -> str | None:
    """The words that were given to this very error, if they are not those of its kind."""
    return error.description if error.description != type(error).description else None


def address() -> str | None:
    """Where the request comes from, cut to what is kept: a proxy may let anything through."""
    return request.remote_addr[:64] if request.remote_addr else None


def is_key_door(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def request_id() -> str:
    """Ours, never the caller's: it goes into logs and answers.

    It tells requests apart and is no secret, so it need not come from the operating system,
    for whose random bytes a thread lets go of Python's lock.
    """
    known: str | None = g.get("request_id")
    if known is None:
        g.request_id = known = f"req_{random.getrandbits(64):016x}"
    return known


def log_crash(error: Exception) -> None:
    log.error(
        "%s %s failed (%s)", request.method, ascii(request.path), request_id(), exc_info=error
    )


def _finish(response: Response) -> Response:
    headers = response.headers
    headers.add("X-Request-Id", request_id())
    headers.add("X-Content-Type-Options", "nosniff")
    if "Cache-Control" not in headers:
        headers.add("Cache-Control", "no-store")
    return response
