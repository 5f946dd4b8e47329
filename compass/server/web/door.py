"""The door itself: sessions, CSRF, headers, and the rule that every page needs a sign-in
unless it is declared open."""

import json
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import flask
from flask import Blueprint, Flask, Response, abort, current_app, g, redirect, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFProtect, generate_csrf
from htmx_flask import request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from compass.server import requests
from compass.server.config import settings
from compass.server.core import key_list, projects, sessions
from compass.server.core.access import Person
from compass.server.core.models import Project, User
from compass.server.requests import is_key_door
from compass.server.web.compression import compressed

View = TypeVar("View", bound=Callable[..., Any])

web = Blueprint("web", __name__)
csrf = CSRFProtect()
logins = LoginManager()

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


class SignedIn(UserMixin):
    """What Flask-Login keeps of a request's session: its id in the cookie is ours."""

    def __init__(self, session_id: str, user: User):
        self.session_id = session_id
        self.user = user

    def get_id(self) -> str:
        return self.session_id


def init_app(app: Flask) -> None:
    app.config.update(
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_CHECK_DEFAULT=False,
        PERMANENT_SESSION_LIFETIME=sessions.IDLE_LIMIT,
    )
    csrf.init_app(app)
    # All that its init_app does but the remember-me cookie, which would be looked after at each
    # request of both doors and which nobody has.
    app.login_manager = logins  # type: ignore[attr-defined]
    # Its mark of address and agent in the cookie would be of no use: ours is in the database.
    logins.session_protection = None
    logins.user_loader(_load)
    app.context_processor(_for_templates)
    app.after_request(_headers)


def open_to_all(view: View) -> View:
    """Declares that a page needs no sign-in."""
    view.__dict__["open_to_all"] = True
    return view


def only_while(condition: Callable[[], bool]) -> Callable[[View], View]:
    """Declares that a page exists only while this holds, whatever is sent to it."""

    def declare(view: View) -> View:
        view.__dict__["only_while"] = condition
        return view

    return declare


def is_signed_in() -> bool:
    """False also on an error page that must not ask the database."""
    return not g.get("without_database") and bool(current_user.is_authenticated)


def me() -> Person:
    """Whoever is signed in."""
    return Person(user=current_user.user, address=requests.address())


def my_projects() -> list[Project]:
    """Those that they are in, by name."""
    if "projects" not in g:
        g.projects = projects.of_user(me().user)
    listed: list[Project] = g.projects
    return listed


def enter_project(project_id: str) -> Project:
    """The project that the page is about; the navigation begins there the next time.

    Raises NotFound, also for a project that they are not in.
    """
    project = projects.get(me(), project_id)
    g.project = project
    if request.method == "GET":
        projects.remember(me().user, project)
    return project


def current_project() -> Project | None:
    """The project of the page, else the one that they were in last, else any."""
    known: Project | None = g.get("project")
    if known is not None:
        return known
    listed = my_projects()
    return last_project() or (listed[0] if listed else None)


def last_project() -> Project | None:
    """The one that they were in last, if they still are."""
    last = me().user.last_project_id
    return next((each for each in my_projects() if each.id == last), None)


def start_session(session_id: str, user: User) -> None:
    """Puts a new session into a new cookie: nothing of the one before it stays."""
    session.clear()
    session.permanent = True
    login_user(SignedIn(session_id, user))


def end_session() -> None:
    logout_user()
    session.clear()


def own_path(target: str | None) -> str | None:
    """A path of ours to go on to, or None for anything that could lead elsewhere."""
    if not target or not target.startswith("/") or target[1:2] in {"/", "\\"}:
        return None
    if any(ord(char) < 33 or ord(char) == 127 or char == "\\" for char in target):
        return None
    parts = url_parts(target)
    return target if parts and not parts.scheme and not parts.netloc else None


def url_parts(url: str | None) -> SplitResult | None:
    """None for what is no URL."""
    try:
        return urlsplit(url or "")
    except ValueError:
        return None


def render(partial: str, page: str, status: int = 200, **context: Any) -> Response:
    """The partial alone for htmx, else the page around the same partial."""
    template = partial if request.htmx else page
    return flask.make_response(flask.render_template(template, **context), status)


def go(url: str) -> AnyResponse:
    """On to another page, for htmx the whole of it."""
    if request.htmx:
        return flask.make_response("", 204, {"HX-Redirect": url})
    return redirect(url, 303 if request.method == "POST" else 302)


def announce(response: Response, sentence: str, shown: bool = True) -> Response:
    """Says it in the page's live region, to the ear alone unless `shown`; app.js listens."""
    event = {"announce": {"sentence": sentence, "shown": shown}}
    response.headers["HX-Trigger"] = json.dumps(event)
    return response


@web.before_request
def _enter() -> AnyResponse | None:
    view = current_app.view_functions[request.endpoint or ""]
    if (condition := vars(view).get("only_while")) and not condition():
        abort(404)
    if not is_signed_in() and not vars(view).get("open_to_all"):
        return _to_login()
    # After the sign-in, so that a session that has ended leads there and not to a puzzle.
    csrf.protect()
    return None


def _to_login() -> AnyResponse:
    if request.htmx:
        here = url_parts(request.htmx.current_url)
        target = own_path(here.path + (f"?{here.query}" if here.query else "")) if here else None
        answer = flask.make_response("Sign in to go on.", 401)
        answer.headers["HX-Redirect"] = url_for("web.login", next=target)
        return answer
    path = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("web.login", next=own_path(path)))


def _load(session_id: str) -> SignedIn | None:
    found = sessions.find(session_id)
    return SignedIn(session_id, found.user) if found else None


def _for_templates() -> dict[str, Any]:
    theme = request.cookies.get("compass_theme")
    return {
        "user": current_user.user if is_signed_in() else None,
        "my_projects": my_projects,
        "current_project": current_project,
        "theme": theme if theme in {"light", "dark"} else "system",
        "csrf": _csrf_field,
        "first_wrong": _first_wrong,
        "expiring": lambda: key_list.expiring(me()),
        "longest": settings().max_key_lifetime_days,
        "base_url": settings().public_url or request.host_url.rstrip("/"),
    }


def _csrf_field() -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _first_wrong(form: Any) -> str | None:
    """The first field with an error: where the focus goes."""
    return next((field.name for field in form if field.errors), None)


def _headers(response: Response) -> Response:
    if is_key_door(request.path):
        return response
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.vary.add("HX-Request")
    return compressed(response)
