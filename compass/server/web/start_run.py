"""Starting a run: by a form made from the workflow's input schema, or as another run was."""

from typing import Any

import flask
from flask import Response, url_for
from htmx_flask import request
from werkzeug.wrappers import Response as AnyResponse

from compass.server import queue
from compass.server.core import runs, workflows
from compass.server.core.errors import Conflict, Invalid, NotFound
from compass.server.core.models import Project, Workflow
from compass.server.core.run_models import Run
from compass.server.core.runs import Wanted
from compass.server.db import transaction
from compass.server.web import refusals, run_form, timeline
from compass.server.web.door import enter_project, go, me, render, web
from compass.server.web.projects import about
from compass.server.web.run_form import InputForm
from compass.server.web.runs import PATH, refuse

_PAGE = "runs/new.html"


@web.get("/projects/<project_id>/workflows/<workflow_id>/run")
def new_run(project_id: str, workflow_id: str) -> Response:
    project = enter_project(project_id)
    workflow = workflows.get(me(), project.id, workflow_id)
    schema = workflow.definition["input_schema"]
    return _form(project, workflow, run_form.blank(schema, request.args.get("as") == "json"))


@web.post(PATH)
def start_run(project_id: str) -> AnyResponse:
    project = enter_project(project_id)
    workflow = runs.workflow_of(me(), project.id, request.form.get("workflow", ""))
    form = run_form.read(workflow.definition["input_schema"], request.form)
    if form.is_wrong:
        return _form(project, workflow, form, 422)
    try:
        wanted = runs.prepare(me(), project.id, workflow.id, form.value)
    except Invalid as invalid:
        refusals.note(invalid, 422)
        form.blame(invalid)
        return _form(project, workflow, form, 422)
    return _start(wanted)


@web.post(f"{PATH}/<run_id>/again")
def run_again(project_id: str, run_id: str) -> AnyResponse:
    """With the same input, on the workflow as it is now."""
    project = enter_project(project_id)
    run = runs.get(me(), project.id, run_id)
    try:
        wanted = runs.prepare(me(), project.id, run.workflow_id, run.input)
    except NotFound:
        gone = f"{run.workflow_name} was deleted, so this can't be run again."
        return refuse(project, run, Conflict(gone))
    except Invalid as invalid:
        return _unfit(project, run, invalid)
    return _start(wanted)


def _start(wanted: Wanted) -> AnyResponse:
    with transaction():
        run = runs.create(me(), wanted)
    queue.wake(run.id)
    return go(url_for("web.show_run", project_id=run.project_id, run_id=run.id))


def _unfit(project: Project, run: Run, invalid: Invalid) -> Response:
    workflow = workflows.get(me(), project.id, run.workflow_id)
    form = run_form.holding(workflow.definition["input_schema"], run.input)
    form.blame(invalid)
    reason = (
        f"{workflow.name} is at version {workflow.version} now, and the input of this run, which "
        f"was of version {run.workflow_version}, does not fit it any more. Change it, and start it."
    )
    # Whatever asked for it: the page that it comes from has no such form.
    page = flask.render_template(_PAGE, reason=reason, **_about(project, workflow, form))
    return flask.make_response(page, 422)


def _form(project: Project, workflow: Workflow, form: InputForm, status: int = 200) -> Response:
    return render("runs/_form.html", _PAGE, status, **_about(project, workflow, form))


def _about(project: Project, workflow: Workflow, form: InputForm) -> dict[str, Any]:
    return {
        "workflow": workflow,
        "form": form,
        "schema": workflow.definition["input_schema"],
        "shown_json": timeline.shown_json,
        **about(project),
    }
