"""The project's keys, for its admins; and what a key may do to itself."""

from typing import Any

from flask import Response, jsonify

from compass.server.api import bodies
from compass.server.api.door import answers, caller, needs, refuses, takes, v1, verified
from compass.server.api.schemas import (
    KeyListSchema,
    KeyPageArguments,
    KeySchema,
    RotatedSchema,
    RotationArguments,
)
from compass.server.core import key_list, keys, rotation
from compass.server.core.models import Role
from compass.server.db import transaction


@v1.get("/keys")
@needs(Role.ADMIN)
@v1.arguments(KeyPageArguments, location="query")
@refuses(422)
@answers(200, KeyListSchema)
def list_keys(arguments: dict[str, Any]) -> Response:
    """All keys of the project, newest first"""
    return jsonify(bodies.keys(*key_list.after(caller(), **arguments)))


@v1.get("/keys/<key_id>")
@needs(Role.ADMIN)
@refuses(404)
@answers(200, KeySchema)
def read_key(key_id: str) -> Response:
    """One key of the project"""
    return jsonify(bodies.key(keys.get(caller(), key_id)))


@v1.post("/keys/<key_id>/revoke")
@needs(Role.ADMIN)
@refuses(404)
@answers(200, KeySchema)
def revoke_key(key_id: str) -> Response:
    """Stop a key for good, from the next request on; again and again gives the same answer"""
    with transaction():
        keys.revoke(caller(), key_id)
    return jsonify(bodies.key(keys.get(caller(), key_id)))


@v1.post("/keys/self/revoke")
@needs(Role.MEMBER)
@answers(200, KeySchema)
def revoke_self() -> Response:
    """Stop the key that makes this call"""
    with transaction():
        keys.revoke_self(caller())
    return jsonify(bodies.key(keys.own(caller())))


@v1.post("/keys/self/rotate")
@needs(Role.MEMBER)
@takes(RotationArguments)
@refuses(409)
@answers(201, RotatedSchema)
def rotate_self(arguments: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Get a new secret for the key that makes this call, with its newest secret"""
    with transaction():
        secret, key = rotation.rotate_self(
            caller(), verified().secret_id, arguments["overlap_hours"]
        )
    headers = {"Cache-Control": "no-store", "Location": f"/v1/keys/{key.id}"}
    return jsonify(bodies.rotated(secret, key)), 201, headers
