"""The door itself: who may pass, how often, and what each route needs.

A route without a declared role can't be reached: `_enter` refuses what it does not know.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import marshmallow as ma
from flask import Flask, Request, Response, abort, current_app, g, request
from flask_smorest import Blueprint
from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from webargs.core import missing
from webargs.flaskparser import FlaskParser

from compass.server.api import authentication
from compass.server.api.problems import Problem, ProblemSchema
from compass.server.config import settings
from compass.server.core import verification
from compass.server.core.access import KeyHolder
from compass.server.core.clock import now, rfc3339
from compass.server.core.models import Role, is_soon
from compass.server.core.verification import Refused, Verified
from compass.server.db import db

View = TypeVar("View", bound=Callable[..., Any])

log = logging.getLogger("compass.server")


class _JsonBody(FlaskParser):
    """Says no to what is sent as something else, where webargs takes it for no body at all."""

    def _raw_load_json(self, req: Request) -> Any:
        if not req.get_data(cache=True):
            return missing
        if not req.is_json:
            abort(415)
        try:
            return super()._raw_load_json(req)
        except RecursionError:
            abort(400)


class _KeyDoor(Blueprint):
    ARGUMENTS_PARSER = _JsonBody()


v1 = _KeyDoor("v1", __name__, url_prefix="/v1", description="Everything a key can do.")


def needs(role: Role) -> Callable[[View], View]:
    """Declares the role that a route needs, to the door and in the OpenAPI document."""

    def declare(view: View) -> View:
        view = refuses(400, 401, 403, 429, 500)(view)
        view = v1.doc(**{"x-compass-role": role.value})(view)
        view.__dict__["needs_role"] = role
        return view

    return declare


def refuses(*statuses: int) -> Callable[[View], View]:
    """Declares problems that a route can answer with, in the OpenAPI document."""

    def declare(view: View) -> View:
        for status in statuses:
            view = v1.alt_response(
                status, schema=ProblemSchema, content_type="application/problem+json"
            )(view)
        return view

    return declare


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
    holder = g.caller
    assert isinstance(holder, KeyHolder)  # noqa: S101 (for the type checker)
    return holder


def verified() -> Verified:
    outcome = g.verified
    assert isinstance(outcome, Verified)  # noqa: S101 (for the type checker)
    return outcome


def init_app(app: Flask) -> None:
    storage = storage_from_string(app.config["COMPASS"].rate_limit_storage)
    app.extensions["compass-limiter"] = FixedWindowRateLimiter(storage)


@v1.before_request
def _enter() -> None:
    outcome = verification.verify(authentication.presented(request))
    if isinstance(outcome, Refused):
        raise authentication.refused(outcome)
    g.verified = outcome
    db.session.rollback()
    _count(outcome.key_id)
    _require_role(outcome)
    agent = request.headers.get("User-Agent")
    verification.note_use(outcome, request.remote_addr, agent)
    g.caller = KeyHolder(
        id=outcome.key_id,
        name=outcome.key_name,
        project_id=outcome.project_id,
        role=outcome.role,
        owner_id=outcome.owner_id,
        address=request.remote_addr,
    )


def _require_role(outcome: Verified) -> None:
    needed: Role = vars(current_app.view_functions[request.endpoint or ""])["needs_role"]
    if outcome.role.covers(needed):
        return
    if outcome.key_role.covers(needed):
        help_ = f"Its owner is now {outcome.role} in {outcome.project_name}: ask an admin of it."
    else:
        help_ = "A role can't be changed: ask an admin of the project for an admin key."
    raise authentication.insufficient(
        f"This call needs the role {needed}, and this key has {outcome.role}. {_ascii(help_)}"
    )


def _ascii(text: str) -> str:
    """Fit for a header's quoted string: a project's name may hold anything."""
    return text.replace('"', "'").replace("\\", "/").encode("ascii", "replace").decode()


def _count(key_id: str) -> None:
    """One bucket a key. Where the store is away, keys go on working: it only guards load."""
    limiter: FixedWindowRateLimiter = current_app.extensions["compass-limiter"]
    for limit in settings().rate_limit:
        try:
            if limiter.hit(limit, key_id):
                continue
            wait = max(1, round(limiter.get_window_stats(limit, key_id).reset_time - _epoch()))
        except StorageError:
            log.warning("The rate limit's store does not answer; nothing is limited meanwhile.")
            return
        raise Problem(
            429,
            "rate_limited",
            f"This key has made more than its {limit.amount} requests per {_window(limit)}. "
            f"Try again in {wait} s.",
            {"Retry-After": str(wait)},
        )


def _window(limit: RateLimitItem) -> str:
    unit = limit.GRANULARITY.name
    return unit if limit.multiples == 1 else f"{limit.multiples} {unit}s"


def _epoch() -> float:
    return now().timestamp()


@v1.after_request
def _leave(response: Response) -> Response:
    outcome = g.get("verified")
    if outcome and outcome.expires_at and is_soon(outcome.expires_at):
        response.headers["Compass-Key-Expires"] = rfc3339(outcome.expires_at)
    return response
