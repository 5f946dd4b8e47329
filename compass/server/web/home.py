"""The start page, and the choice of light or dark."""

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from compass.server.config import settings
from compass.server.core import run_list, sessions
from compass.server.web.door import current_project, open_to_all, own_path, url_parts, web

THEMES = {"light", "dark", "system"}


@web.get("/")
def home() -> Response:
    """Where work goes on: at the runs of the project that they were in last, once it has any."""
    project = current_project()
    if project is None or not run_list.any_in(project.id):
        return redirect(url_for("web.list_keys"))
    return redirect(url_for("web.list_runs", project_id=project.id))


def _where_from() -> str | None:
    """The page that the choice was made on, with its filters, if it is one of ours."""
    parts = url_parts(request.referrer)
    if parts is None or parts.netloc != request.host:
        return None
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))


@web.post("/theme")
@open_to_all
def set_theme() -> Response:
    response = redirect(_where_from() or url_for("web.home"), 303)
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
