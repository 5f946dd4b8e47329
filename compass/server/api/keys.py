"""The project's keys, for its admins; and what a key may do to itself. Never a secret."""

from typing import Any

from compass.server.api.door import caller, needs, refuses, takes, v1, verified
from compass.server.api.schemas import (
    KeyListSchema,
    KeyPageArguments,
    KeySchema,
    RotatedSchema,
    RotationArguments,
)
from compass.server.core import key_list, keys, rotation
from compass.server.core.models import Key, Role
from compass.server.db import transaction


@v1.get("/keys")
@needs(Role.ADMIN)
@v1.arguments(KeyPageArguments, location="query")
@refuses(422)
@v1.response(200, KeyListSchema)
def list_keys(arguments: dict[str, Any]) -> dict[str, Any]:
    """All keys of the project, newest first"""
    items, cursor = key_list.after(caller(), arguments["cursor"], arguments["limit"])
    return {"items": items, "next_cursor": cursor}


@v1.get("/keys/<key_id>")
@needs(Role.ADMIN)
@refuses(404)
@v1.response(200, KeySchema)
def read_key(key_id: str) -> Key:
    """One key of the project"""
    return keys.get(caller(), key_id)


@v1.post("/keys/<key_id>/revoke")
@needs(Role.ADMIN)
@refuses(404)
@v1.response(200, KeySchema)
def revoke_key(key_id: str) -> Key:
    """Stop a key for good, from the next request on; again and again gives the same answer"""
    with transaction():
        keys.revoke(caller(), key_id)
    return keys.get(caller(), key_id)


@v1.post("/keys/self/revoke")
@needs(Role.MEMBER)
@v1.response(200, KeySchema)
def revoke_self() -> Key:
    """Stop the key that makes this call"""
    with transaction():
        keys.revoke_self(caller())
    return keys.own(caller())


@v1.post("/keys/self/rotate")
@needs(Role.MEMBER)
@takes(RotationArguments)
@refuses(409)
@v1.response(201, RotatedSchema)
def rotate_self(arguments: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Get a new secret for the key that makes this call, with its newest secret"""
    with transaction():
        secret, key = rotation.rotate_self(
            caller(), verified().secret_id, arguments["overlap_hours"]
        )
    body = {"secret": secret, "key": key, "previous_ends_at": key.secrets[-2].ends_at}
    return body, 201, {"Cache-Control": "no-store", "Location": f"/v1/keys/{key.id}"}
