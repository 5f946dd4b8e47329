"""Workflows: read by every key, written by admins."""

from typing import Any

from flask import Response, jsonify

from compass.server.api import bodies
from compass.server.api.door import answers, caller, needs, refuses, takes, v1
from compass.server.api.schemas import (
    WorkflowArguments,
    WorkflowListSchema,
    WorkflowPageArguments,
    WorkflowSchema,
)
from compass.server.core import projects, workflows
from compass.server.core.models import Project, Role
from compass.server.db import transaction


@v1.get("/workflows")
@needs(Role.MEMBER)
@v1.arguments(WorkflowPageArguments, location="query")
@refuses(422)
@answers(200, WorkflowListSchema)
def list_workflows(arguments: dict[str, Any]) -> Response:
    """All workflows of the project, newest first"""
    return jsonify(bodies.workflows(*workflows.after(caller().project_id, **arguments)))


@v1.get("/workflows/<workflow_id>")
@needs(Role.MEMBER)
@refuses(404)
@answers(200, WorkflowSchema)
def read_workflow(workflow_id: str) -> Response:
    """One workflow of the project"""
    return jsonify(bodies.workflow(workflows.get(caller(), caller().project_id, workflow_id)))


@v1.post("/workflows")
@needs(Role.ADMIN)
@takes(WorkflowArguments)
@refuses(409)
@answers(201, WorkflowSchema)
def create_workflow(arguments: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Write a workflow that every key of the project may run"""
    with transaction():
        made = workflows.create(caller(), _project(), arguments)
    return jsonify(bodies.workflow(made)), 201, {"Location": f"/v1/workflows/{made.id}"}


@v1.put("/workflows/<workflow_id>")
@needs(Role.ADMIN)
@takes(WorkflowArguments)
@refuses(404, 409)
@answers(200, WorkflowSchema)
def replace_workflow(arguments: dict[str, Any], workflow_id: str) -> Response:
    """Replace the whole of it, its name too; runs keep what they were asked to run"""
    with transaction():
        replaced = workflows.replace(caller(), _project(), workflow_id, arguments)
    return jsonify(bodies.workflow(replaced))


@v1.delete("/workflows/<workflow_id>")
@needs(Role.ADMIN)
@refuses(404)
@v1.response(204)
def delete_workflow(workflow_id: str) -> None:
    """Delete a workflow; its runs stay"""
    with transaction():
        workflows.delete(caller(), _project(), workflow_id)


def _project() -> Project:
    return projects.get(caller(), caller().project_id)
