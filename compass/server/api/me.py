"""Who am I: the first call that anybody makes with a new key."""

from flask import Response, jsonify

from compass.server.api import bodies
from compass.server.api.door import answers, needs, v1, verified
from compass.server.api.schemas import MeSchema
from compass.server.core.models import Role


@v1.get("/me")
@needs(Role.MEMBER)
@answers(200, MeSchema)
def read_me() -> Response:
    """The key itself, its project, and what it may do now"""
    return jsonify(bodies.me(verified()))
