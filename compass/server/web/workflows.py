"""A project's workflows: the list, one drawn as its steps, and the editor of its document."""

from typing import Any

from flask import Response, flash, url_for
from htmx_flask import request
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, HiddenField, TextAreaField

from compass.server.core import access, audit, connections, workflows
from compass.server.core.errors import Conflict, Invalid, Taken
from compass.server.core.ids import is_id
from compass.server.core.models import Project, Workflow
from compass.server.db import transaction
from compass.server.web import documents, drawing, examples, refusals
from compass.server.web.documents import Finding, UnreadableError
from compass.server.web.door import announce, enter_project, go, me, render, web
from compass.server.web.projects import about

PATH = "/projects/<project_id>/workflows"
LISTED = 50
# A list of names to choose from, beside the editor: who has more knows them.
NAMED = 200


class WorkflowForm(Form):
    document = TextAreaField("Document")
    # The version that the editor began from.
    version = HiddenField()


@web.get(PATH)
def list_workflows(project_id: str) -> Response:
    project = enter_project(project_id)
    cursor = request.args.get("after", "")
    found, older = workflows.after(project.id, cursor if is_id(cursor, "wfl") else None, LISTED)
    page = "workflows/index.html"
    shown = {"workflows": found, "older": older, "cursor": cursor}
    return render(page, page, **shown, **about(project))


@web.get(f"{PATH}/new")
def new_workflow(project_id: str) -> Response:
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    found, _ = connections.after(project.id, None, NAMED)
    return _edit(project, None, WorkflowForm(document=documents.pretty(examples.workflow(found))))


@web.post(PATH)
def create_workflow(project_id: str) -> AnyResponse:
    form = WorkflowForm(request.form)
    text = documents.typed(form.document.data or "")
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    try:
        document = documents.read(text)
        with transaction():
            workflow = workflows.create(me(), enter_project(project_id), document)
    except (UnreadableError, Invalid, Taken) as refusal:
        return _refuse(project_id, None, form, text, refusal)
    flash(f"{workflow.name} is saved. Any key of {project.name} can run it.")
    return go(_url("web.show_workflow", workflow))


@web.get(f"{PATH}/<workflow_id>")
def show_workflow(project_id: str, workflow_id: str) -> Response:
    project = enter_project(project_id)
    workflow = workflows.get(me(), project.id, workflow_id)
    known = {each.name: each for each in workflows.connections_of(workflow)}
    document = documents.of(workflow)
    sample = examples.of_input(workflow.definition["input_schema"])
    page = "workflows/workflow.html"
    return render(
        page,
        page,
        workflow=workflow,
        steps=drawing.steps(workflow.definition, known),
        connections=list(known.values()),
        fields=drawing.fields(document.get("input_schema")),
        document=documents.pretty(document),
        pretty=documents.pretty,
        command=drawing.command(workflow.name, sample),
        history=audit.of(workflow),
        **about(project),
    )


@web.get(f"{PATH}/<workflow_id>/edit")
def edit_workflow(project_id: str, workflow_id: str) -> Response:
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    workflow = workflows.get(me(), project.id, workflow_id)
    text = documents.pretty(documents.of(workflow))
    return _edit(project, workflow, WorkflowForm(document=text, version=str(workflow.version)))


@web.post(f"{PATH}/<workflow_id>/edit")
def replace_workflow(project_id: str, workflow_id: str) -> AnyResponse:
    form = WorkflowForm(request.form)
    text = documents.typed(form.document.data or "")
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    before = workflows.get(me(), project.id, workflow_id).version
    try:
        document = documents.read(text)
        with transaction():
            project = enter_project(project_id)
            began_from = _number(form.version.data)
            workflow = workflows.replace(me(), project, workflow_id, document, began_from)
    except (UnreadableError, Invalid, Conflict) as refusal:
        return _refuse(project_id, workflow_id, form, text, refusal)
    if workflow.version == before:
        flash(f"Nothing changed: {workflow.name} stays at version {workflow.version}.")
    else:
        flash(f"{workflow.name} is at version {workflow.version} now.")
    return go(_url("web.show_workflow", workflow))


@web.get(f"{PATH}/<workflow_id>/delete")
def confirm_delete_workflow(project_id: str, workflow_id: str) -> Response:
    project = enter_project(project_id)
    access.require_project_admin(me(), project)
    workflow = workflows.get(me(), project.id, workflow_id)
    page = "workflows/delete.html"
    return render(page, page, workflow=workflow, **about(project))


@web.post(f"{PATH}/<workflow_id>/delete")
def delete_workflow(project_id: str, workflow_id: str) -> AnyResponse:
    with transaction():
        project = enter_project(project_id)
        name = workflows.get(me(), project.id, workflow_id).name
        workflows.delete(me(), project, workflow_id)
    flash(f"{name} was deleted.")
    return go(url_for("web.list_workflows", project_id=project_id))


def _refuse(
    project_id: str,
    workflow_id: str | None,
    form: WorkflowForm,
    text: str,
    refusal: UnreadableError | Invalid | Conflict,
) -> Response:
    """The editor again, with all that is wrong and nothing lost of what was typed."""
    project = enter_project(project_id)
    workflow = workflows.get(me(), project.id, workflow_id) if workflow_id else None
    form.document.data = text
    if isinstance(refusal, UnreadableError):
        return _with_findings(project, workflow, form, refusal.findings)
    refusals.note(refusal, 422)
    if isinstance(refusal, Taken):
        refusal = Invalid(name=str(refusal))
    if isinstance(refusal, Invalid):
        return _with_findings(project, workflow, form, documents.findings(text, refusal))
    # Saved once more it takes the place of what the other one wrote.
    form.version.data = str(workflow.version) if workflow else ""
    return _edit(project, workflow, form, 422, conflict=str(refusal))


def _with_findings(
    project: Project, workflow: Workflow | None, form: WorkflowForm, findings: list[Finding]
) -> Response:
    response = _edit(project, workflow, form, 422, findings=findings)
    first = findings[0]
    words = f"{len(findings)} to be mended. The first, in line {first.line}: {first.words}"
    return announce(response, words, shown=False)


def _edit(
    project: Project,
    workflow: Workflow | None,
    form: WorkflowForm,
    status: int = 200,
    **outcome: Any,
) -> Response:
    found, _ = connections.after(project.id, None, NAMED)
    shown = {"findings": [], "workflow": workflow, "form": form, "connections": found}
    return render(
        "workflows/_findings.html",
        "workflows/edit.html",
        status,
        **(shown | outcome),
        **about(project),
    )


def _number(typed: str | None) -> int | None:
    """None where it was left out; what is no number is no version."""
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 9 else -1


def _url(endpoint: str, workflow: Workflow) -> str:
    return url_for(endpoint, project_id=workflow.project_id, workflow_id=workflow.id)
