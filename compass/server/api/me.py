"""Who am I: the first call that anybody makes with a new key."""

from typing import Any

from compass.server.api.door import caller, needs, v1, verified
from compass.server.api.schemas import MeSchema
from compass.server.core import keys
from compass.server.core.models import Role


@v1.get("/me")
@needs(Role.MEMBER)
@v1.response(200, MeSchema)
def read_me() -> dict[str, Any]:
    """The key itself, its project, and what it may do now"""
    key = keys.own(caller())
    return {"key": key, "role": verified().role, "project": key.project, "user": key.owner}
