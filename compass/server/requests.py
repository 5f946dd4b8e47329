"""What every request has, whichever door it came through: an id, and safe headers."""

import logging
import secrets

from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

log = logging.getLogger("compass.server")


class BrowserSessions(SecureCookieSessionInterface):
    """Cookies are the browser door's alone: the key door neither reads nor sends one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if is_key_door(request.path) else super().open_session(app, request)


def init_app(app: Flask) -> None:
    app.session_interface = BrowserSessions()
    app.after_request(_finish)


def is_key_door(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def request_id() -> str:
    """Ours, never the caller's: it goes into logs and answers."""
    if "request_id" not in g:
        g.request_id = f"req_{secrets.token_hex(8)}"
    return str(g.request_id)


def log_crash(error: Exception) -> None:
    log.error(
        "%s %s failed (%s)", request.method, ascii(request.path), request_id(), exc_info=error
    )


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
