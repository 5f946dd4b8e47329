"""What every process of the server stands on: settings, the database, the queue."""

from flask import Flask

from compass.server import queue
from compass.server.config import Settings
from compass.server.db import db, engine_options


def configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        COMPASS=settings,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings),
    )
    db.init_app(app)
    queue.init_app(app)
