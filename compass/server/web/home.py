"""The start page, and the choice of light or dark."""

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from compass.server.config import settings
from compass.server.core import sessions
from compass.server.web.door import open_to_all, own_path, web

THEMES = {"light", "dark", "system"}


@web.get("/")
def home() -> Response:
    return redirect(url_for("web.list_keys"))


@web.post("/theme")
@open_to_all
def set_theme() -> Response:
    response = redirect(own_path(request.form.get("next")) or url_for("web.home"), 303)
    theme = request.form.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            "compass_theme",
            theme,
            max_age=int(sessions.IDLE_LIMIT.total_seconds()) * 26,
            httponly=True,
            samesite="Lax",
            secure=settings().is_https,
        )
    return response
