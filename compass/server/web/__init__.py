"""The browser door: HTML, with htmx where it helps and without it all the same."""

from flask import Flask
from htmx_flask import Htmx

from compass.server.web import assets, door, errors, times

# For the routes that they add to the door.
from compass.server.web import (  # isort: skip
    account,  # noqa: F401
    api_keys,  # noqa: F401
    docs,  # noqa: F401
    home,  # noqa: F401
    key_page,  # noqa: F401
    login,  # noqa: F401
    setup,  # noqa: F401
    audit,  # noqa: F401
)

__all__ = ["errors", "init_app"]


def init_app(app: Flask) -> None:
    Htmx(app)
    assets.init_app(app)
    times.init_app(app)
    door.init_app(app)
    app.register_blueprint(door.web)
