"""Runs: started, read and cancelled by every key of the project."""

import json
import re
from contextlib import suppress
from typing import Any

from flask import Response, jsonify, request

from compass.server import queue
from compass.server.api import bodies
from compass.server.api.door import answers, caller, needs, refuses, takes, v1
from compass.server.api.problems import Problem
from compass.server.api.schemas import (
    EventPageArguments,
    RunArguments,
    RunEventListSchema,
    RunListSchema,
    RunPageArguments,
    RunSchema,
)
from compass.server.core import run_events, runs
from compass.server.core.errors import Invalid
from compass.server.core.models import Role
from compass.server.core.run_models import Run
from compass.server.core.runs import Once, Repeated
from compass.server.db import transaction

_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Repeating the request with it starts no second run, for 24 hours.",
    "schema": {"type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": 255},
}
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


@v1.post("/runs")
@needs(Role.MEMBER)
@v1.doc(parameters=[_HEADER])
@takes(RunArguments)
@refuses(404, 409)
@answers(202, RunSchema)
def create_run(arguments: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Start a workflow; with an Idempotency-Key, repeating the request starts no second run"""
    run = _accepted(arguments)
    return jsonify(bodies.run(run)), 202, {"Location": f"/v1/runs/{run.id}"}


@v1.get("/runs")
@needs(Role.MEMBER)
@v1.arguments(RunPageArguments, location="query")
@refuses(422)
@answers(200, RunListSchema)
def list_runs(arguments: dict[str, Any]) -> Response:
    """All runs of the project, newest first"""
    return jsonify(bodies.runs(*runs.after(caller().project_id, **arguments)))


@v1.get("/runs/<run_id>")
@needs(Role.MEMBER)
@refuses(404)
@answers(200, RunSchema)
def read_run(run_id: str) -> Response:
    """One run of the project"""
    return jsonify(bodies.run(_run(run_id)))


@v1.get("/runs/<run_id>/events")
@needs(Role.MEMBER)
@v1.arguments(EventPageArguments, location="query")
@refuses(404, 422)
@answers(200, RunEventListSchema)
def list_run_events(arguments: dict[str, Any], run_id: str) -> Response:
    """What happened in a run, in order, from the one after `after` on"""
    found = run_events.after(_run(run_id), arguments["after"], arguments["limit"])
    return jsonify(bodies.happened(found))


@v1.post("/runs/<run_id>/cancel")
@needs(Role.MEMBER)
@refuses(404, 409)
@answers(200, RunSchema)
def cancel_run(run_id: str) -> Response:
    """Cancel a run: at once while it waits, before its next step while it runs"""
    with transaction():
        cancelled = runs.cancel(caller(), caller().project_id, run_id)
    return jsonify(bodies.run(cancelled))


def _run(run_id: str) -> Run:
    return runs.get(caller(), caller().project_id, run_id)


def _accepted(arguments: dict[str, Any]) -> Run:
    _require_exact(request.get_data())
    runs.check_size(arguments["input"])
    once = _once(arguments)
    if once and (run := runs.already(once)):
        return run
    wanted = runs.prepare(caller(), caller().project_id, arguments["workflow"], arguments["input"])
    try:
        with transaction():
            run = runs.create(caller(), wanted, once)
    except Repeated:
        if once and (run := runs.already(once)):
            return run
        raise
    queue.wake(run.id)
    return run


def _require_exact(body: bytes) -> None:
    """A whole number of more than 64 bits would lose digits unseen. Raises Invalid."""
    if not _LONG_NUMBER.search(body):
        return

    def refuse(text: str) -> None:
        digits = text.lstrip("-")
        if len(digits) > 20 or not -(2**63) <= int(text) < 2**64:
            raise Invalid(
                input=f"{text[:30]} has more than 64 bits. Send it as text: no digit is lost then."
            )

    # What is too deep for it is refused as such afterwards.
    with suppress(RecursionError):
        json.loads(body, parse_int=refuse)


def _once(arguments: dict[str, Any]) -> Once | None:
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(header):
        raise Problem(
            400, "invalid_request", "An Idempotency-Key is 1 to 255 printable ASCII characters."
        )
    return Once.of(caller().id, header, arguments)
