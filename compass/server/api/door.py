"""The door itself: who may pass, how often, and what each route needs.

A route without a declared role can't be reached: `_enter` refuses what it does not know.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import marshmallow as ma
import orjson
from flask import Request, Response, abort, current_app, g, request
from flask_smorest import Blueprint
from webargs.core import missing
from webargs.flaskparser import FlaskParser

from compass.server import requests
from compass.server.api import authentication, rate_limit
from compass.server.api.problems import ProblemSchema
from compass.server.core import verification
from compass.server.core.access import KeyHolder
from compass.server.core.clock import rfc3339
from compass.server.core.models import Role, is_soon
from compass.server.core.verification import Refused, Verified

View = TypeVar("View", bound=Callable[..., Any])


class _JsonBody(FlaskParser):
    """Strict JSON (RFC 8259), with an end to its depth; and a no to what is sent as something
    else, where webargs takes it for no body at all."""

    def _raw_load_json(self, req: Request) -> Any:
        body = req.get_data()
        if not body:
            return missing
        if not req.is_json:
            abort(415)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            abort(400)


class _KeyDoor(Blueprint):
    ARGUMENTS_PARSER = _JsonBody()


v1 = _KeyDoor("v1", __name__, url_prefix="/v1", description="Everything a key can do.")


def needs(role: Role) -> Callable[[View], View]:
    """Declares the role that a route needs, to the door and in the OpenAPI document."""

    def declare(view: View) -> View:
        view = refuses(400, 401, 403, 429, 500)(view)
        view = _document(v1.doc(**{"x-compass-role": role.value}), view)
        view.__dict__["needs_role"] = role
        return view

    return declare


def refuses(*statuses: int) -> Callable[[View], View]:
    """Declares problems that a route can answer with, in the OpenAPI document."""

    def declare(view: View) -> View:
        for status in statuses:
            problem = v1.alt_response(
                status, schema=ProblemSchema, content_type="application/problem+json"
            )
            view = _document(problem, view)
        return view

    return declare


def answers(status: int, schema: type[ma.Schema]) -> Callable[[View], View]:
    """Declares the shape of a route's answer, in the OpenAPI document."""
    return lambda view: _document(v1.response(status, schema), view)


def _document(declaration: Callable[[View], View], view: View) -> View:
    """Keeps what flask-smorest notes of the view and leaves its wrapper, which does nothing here,
    out of the way of each request."""
    view.__dict__["_apidoc"] = vars(declaration(view))["_apidoc"]
    return view


def takes(schema: type[ma.Schema]) -> Callable[[View], View]:
    """Declares a JSON body. It may be left out where every member of it may be."""

    def declare(view: View) -> View:
        required = any(field.required for field in schema().fields.values())
        taking: View = v1.arguments(schema, required=required)(view)
        return refuses(413, 415, 422)(taking)

    return declare


def open_to_all(view: View) -> View:
    """Declares that a route under /v1 needs no key."""
    view.__dict__["needs_role"] = None
    return view


def caller() -> KeyHolder:
    """Whoever is calling, with the role that the key has now."""
    key = verified()
    return KeyHolder(
        id=key.id,
        name=key.name,
        project_id=key.project_id,
        role=key.power,
        owner_id=key.owner.id if key.owner else None,
        address=requests.address(),
    )


def verified() -> Verified:
    outcome = g.verified
    assert isinstance(outcome, Verified)  # noqa: S101 (for the type checker)
    return outcome


@v1.before_request
def _enter() -> None:
    outcome = verification.verify(authentication.presented(request))
    if isinstance(outcome, Refused):
        raise authentication.refused(outcome)
    g.verified = outcome
    rate_limit.count(outcome.id)
    _require_role(outcome)
    if verification.is_use_due(outcome):
        agent = request.headers.get("User-Agent")
        verification.note_use(outcome, requests.address(), agent)


def _require_role(outcome: Verified) -> None:
    needed: Role = vars(current_app.view_functions[request.endpoint or ""])["needs_role"]
    if outcome.power.covers(needed):
        return
    if outcome.role.covers(needed):
        help_ = f"Its owner is now {outcome.power} in {outcome.project_name}: ask an admin of it."
    else:
        help_ = "A role can't be changed: ask an admin of the project for an admin key."
    raise authentication.insufficient(
        f"This call needs the role {needed}, and this key has {outcome.power}. {_ascii(help_)}"
    )


def _ascii(text: str) -> str:
    """Fit for a header's quoted string: a project's name may hold anything."""
    return text.replace('"', "'").replace("\\", "/").encode("ascii", "replace").decode()


@v1.after_request
def _leave(response: Response) -> Response:
    outcome = g.get("verified")
    if outcome and outcome.expires_at and is_soon(outcome.expires_at):
        response.headers["Compass-Key-Expires"] = rfc3339(outcome.expires_at)
    return response
