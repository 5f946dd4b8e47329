"""What every request has, whichever door it came through: an id, and safe headers."""

import logging
import secrets

from flask import Flask, Response, g, request

log = logging.getLogger("compass.server")


def init_app(app: Flask) -> None:
    app.after_request(_finish)


def request_id() -> str:
    """Ours, never the caller's: it goes into logs and answers."""
    if "request_id" not in g:
        g.request_id = f"req_{secrets.token_hex(8)}"
    return str(g.request_id)


def log_crash(error: Exception) -> None:
    log.error("%s %s failed (%s)", request.method, request.path, request_id(), exc_info=error)


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
