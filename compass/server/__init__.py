"""The server: one house, two doors. `create_app` puts it together."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from compass.server.config import Settings

__all__ = ["create_app"]


def create_app(settings: "Settings | None" = None) -> "Flask":
    """The WSGI application. Reads the environment where no settings are given.

    Makes the signing key in COMPASS_HOME if there is none, and nothing else: bringing the
    schema up to date is for `compass-server serve`. Raises ConfigError.
    """
    # Not before: a worker for runs needs neither door, and their memory is a quarter of its own.
    from compass.server import application

    return application.create(settings)
