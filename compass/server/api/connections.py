"""Connections: read by every key, written by admins. Credentials never come back out."""

from typing import Any

from flask import Response, jsonify

from compass.server.api import bodies
from compass.server.api.door import answers, caller, needs, refuses, takes, v1
from compass.server.api.schemas import (
    ConnectionArguments,
    ConnectionChangeArguments,
    ConnectionListSchema,
    ConnectionPageArguments,
    ConnectionSchema,
)
from compass.server.core import connections, projects
from compass.server.core.connections import Change
from compass.server.core.models import Project, Role
from compass.server.db import transaction

Created = tuple[Response, int, dict[str, str]]


@v1.get("/connections")
@needs(Role.MEMBER)
@v1.arguments(ConnectionPageArguments, location="query")
@refuses(422)
@answers(200, ConnectionListSchema)
def list_connections(arguments: dict[str, Any]) -> Response:
    """All connections of the project, newest first"""
    return jsonify(bodies.connections(*connections.after(caller().project_id, **arguments)))


@v1.get("/connections/<connection_id>")
@needs(Role.MEMBER)
@refuses(404)
@answers(200, ConnectionSchema)
def read_connection(connection_id: str) -> Response:
    """One connection of the project, without its credentials"""
    found = connections.get(caller(), caller().project_id, connection_id)
    return jsonify(bodies.connection(found))


@v1.post("/connections")
@needs(Role.ADMIN)
@takes(ConnectionArguments)
@refuses(409)
@answers(201, ConnectionSchema)
def create_connection(arguments: dict[str, Any]) -> Created:
    """Store a connection with its credentials"""
    with transaction():
        made = connections.create(caller(), _project(), **arguments)
    return jsonify(bodies.connection(made)), 201, {"Location": f"/v1/connections/{made.id}"}


@v1.patch("/connections/<connection_id>")
@needs(Role.ADMIN)
@takes(ConnectionChangeArguments)
@refuses(404, 409)
@answers(200, ConnectionSchema)
def change_connection(arguments: dict[str, Any], connection_id: str) -> Response:
    """Replace each member that is given; a new address needs the credentials again"""
    with transaction():
        changed = connections.change(caller(), _project(), connection_id, Change(**arguments))
    return jsonify(bodies.connection(changed))


@v1.delete("/connections/<connection_id>")
@needs(Role.ADMIN)
@refuses(404, 409)
@v1.response(204)
def delete_connection(connection_id: str) -> None:
    """Delete a connection that no workflow uses"""
    with transaction():
        connections.delete(caller(), _project(), connection_id)


@v1.post("/connections/<connection_id>/check")
@needs(Role.ADMIN)
@refuses(404)
@answers(200, ConnectionSchema)
def check_connection(connection_id: str) -> Response:
    """Try it for real and keep the outcome, which may be that it does not work"""
    _, outcome = connections.check(caller(), _project(), connection_id)
    with transaction():
        checked = connections.record_check(caller(), _project(), connection_id, outcome)
    return jsonify(bodies.connection(checked))


def _project() -> Project:
    return projects.get(caller(), caller().project_id)
