"""The project's keys, for its admins; and what a key may do to itself. Never a secret."""

from typing import Any

from compass.server.api.door import caller, needs, v1
from compass.server.api.problems import ProblemSchema
from compass.server.api.schemas import KeyListSchema, KeyPageArguments, KeySchema
from compass.server.core import key_list, keys
from compass.server.core.models import Key, Role
from compass.server.db import transaction

_problem = {"schema": ProblemSchema, "content_type": "application/problem+json"}


@v1.get("/keys")
@needs(Role.ADMIN)
@v1.arguments(KeyPageArguments, location="query")
@v1.alt_response(422, **_problem)
@v1.response(200, KeyListSchema)
def list_keys(arguments: dict[str, Any]) -> dict[str, Any]:
    """All keys of the project, newest first"""
    items, cursor = key_list.after(caller(), arguments["cursor"], arguments["limit"])
    return {"items": items, "next_cursor": cursor}


@v1.get("/keys/<key_id>")
@needs(Role.ADMIN)
@v1.alt_response(404, **_problem)
@v1.response(200, KeySchema)
def read_key(key_id: str) -> Key:
    """One key of the project"""
    return keys.get(caller(), key_id)


@v1.post("/keys/<key_id>/revoke")
@needs(Role.ADMIN)
@v1.alt_response(404, **_problem)
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
