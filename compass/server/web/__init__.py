"""The browser door: HTML, with htmx where it helps and without it all the same."""

from flask import Flask
from htmx_flask import Htmx

from compass.server.web import agents, assets, door, errors, times

# For the routes that they add to the door.
from compass.server.web import (  # isort: skip
    account,  # noqa: F401
    api_keys,  # noqa: F401
    docs,  # noqa: F401
    home,  # noqa: F401
    key_page,  # noqa: F401
    login,  # noqa: F401
    members,  # noqa: F401
    one_time,  # noqa: F401
    people,  # noqa: F401
    projects,  # noqa: F401
    runs,  # noqa: F401
    start_run,  # noqa: F401
    setup,  # noqa: F401
    audit,  # noqa: F401
    connections,  # noqa: F401
    workflows,  # noqa: F401
)

__all__ = ["errors", "init_app"]


def init_app(app: Flask) -> None:
    Htmx(app)
    assets.init_app(app)
    times.init_app(app)
    app.jinja_env.filters["browser"] = agents.browser
    door.init_app(app)
    app.register_blueprint(door.web)
