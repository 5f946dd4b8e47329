"""Both doors on one application, and the one place where errors become answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, Response, g, request
from flask.json.provider import JSONProvider
from flask_migrate import Migrate
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from compass.server import api, base, health, requests, web
from compass.server.config import Settings
from compass.server.core.errors import Conflict, Refusal
from compass.server.db import db, points_nowhere
from compass.server.resources import folder

MAX_BODY = 1024 * 1024


class Compass(Flask):
    """Flask, without asking of each function at each request whether it is async: none is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


class Json(JSONProvider):
    """What `jsonify` and `flask.json` write with: in the order that is given, in UTF-8."""

    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        body = orjson.dumps(self._prepare_response_obj(args, kwargs))
        return Response(body, content_type="application/json")


def create(settings: Settings | None) -> Flask:
    """`compass.server.create_app`."""
    settings = settings or Settings.from_env()
    app = Compass("compass.server", static_folder=None, template_folder=str(folder("templates")))
    app.json = Json(app)
    base.configure(app, settings)
    app.config.update(
        SECRET_KEY=settings.signing_key(),
        MAX_CONTENT_LENGTH=MAX_BODY,
        SESSION_COOKIE_NAME="compass_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.is_https,
    )
    Migrate(app, db, directory=str(_migrations()))
    requests.init_app(app)
    health.init_app(app)
    api.init_app(app)
    web.init_app(app)
    for kind in (Refusal, HTTPException, Exception):
        app.register_error_handler(kind, _answer)
    if proxies := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies
        )
    return app


def _answer(error: Exception) -> AnyResponse:
    """Every error of the app ends here: problem+json under /v1, a page elsewhere."""
    db.session.rollback()
    # What was read before it is gone with the transaction, or altogether.
    for known in ("project", "projects"):
        g.pop(known, None)
    gone = isinstance(error, StaleDataError | ObjectDeletedError)
    if gone or (isinstance(error, IntegrityError) and points_nowhere(error)):
        error = Conflict(
            "Somebody deleted what this is about, at the same moment. Reload the page."
        )
    if not isinstance(error, (Refusal, HTTPException, api.problems.Problem)):
        requests.log_crash(error)
    if requests.is_key_door(request.path):
        return api.problems.answer(error)
    return web.errors.answer(error)


def _migrations() -> Path:
    return folder("migrations")
