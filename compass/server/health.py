"""`/healthz`: the process is up. `/readyz`: it can do its work. Neither needs a key."""

from flask import Flask, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from compass.server import schema
from compass.server.db import db


def init_app(app: Flask) -> None:
    app.add_url_rule("/healthz", "healthz", healthz)
    app.add_url_rule("/readyz", "readyz", readyz)


def healthz() -> Response:
    return jsonify(status="ok")


def readyz() -> tuple[Response, int]:
    try:
        with db.engine.connect() as connection:
            ready = schema.is_current(connection)
    except SQLAlchemyError:
        return jsonify(status="unavailable", detail="The database does not answer."), 503
    if not ready:
        return jsonify(status="unavailable", detail="The schema is behind this version."), 503
    return jsonify(status="ok"), 200
