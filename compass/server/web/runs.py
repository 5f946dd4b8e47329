"""A project's runs: the list, and one with its steps, live while it is carried out."""

from collections.abc import Callable
from typing import Any

import flask
from flask import Response, flash, redirect, url_for
from htmx_flask import request
from werkzeug.wrappers import Response as AnyResponse

from compass.server.core import run_events, run_list, runs, workflows
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, NotFound
from compass.server.core.ids import is_id
from compass.server.core.models import Project
from compass.server.core.run_list import Filter
from compass.server.core.run_models import Run, RunStatus
from compass.server.db import transaction
from compass.server.web import refusals, timeline
from compass.server.web.door import announce, enter_project, me, render, web
from compass.server.web.projects import about

PATH = "/projects/<project_id>/runs"
# So many workflows are offered to filter by.
OFFERED = 200
# More events than that has only a run whose workers are stopped all the time.
MOST_EVENTS = 2000

LABELS = {
    RunStatus.QUEUED: "Queued",
    RunStatus.RUNNING: "Running",
    RunStatus.SUCCEEDED: "Succeeded",
    RunStatus.FAILED: "Failed",
    RunStatus.CANCELLED: "Cancelled",
}

# What to do about what failed, where its own words do not say so.
ADVICE = {
    "connection_missing": "An admin can create it again, or change the workflow.",
    "credentials_sealed": "An admin can give the connection its credentials again.",
    "expression_error": "An admin can mend the workflow; then run it again.",
    "sql_error": "An admin can mend the workflow or what the database lets its user do.",
    "timeout": "Run it again, or let an admin give the step more time.",
    "unreachable": "An admin can check the connection. Once it can be reached, run it again.",
}


@web.get(PATH)
def list_runs(project_id: str) -> Response:
    project = enter_project(project_id)
    wanted = _wanted(project)
    before, after = (_cursor(request.args.get(name, "")) for name in ("before", "after"))
    found = run_list.page(wanted, before, after)
    counts = runs.counts(project.id, wanted.workflow_id)
    offered = run_list.workflows(project.id, OFFERED)
    chosen = next((each.name for each in offered if each.id == wanted.workflow_id), None)
    if wanted.workflow_id and chosen is None:
        chosen = run_list.last_name(project.id, wanted.workflow_id) or wanted.workflow_id
    response = render(
        "runs/_list.html",
        "runs/index.html",
        found=found,
        wanted=wanted,
        counts=counts,
        total=_count(sum(counts.values()), any(map(_is_most, counts.values()))),
        count=lambda status: _count(counts[status], _is_most(counts[status])),
        offered=offered,
        chosen=chosen,
        address=_address(wanted),
        **_words(),
        **about(project),
    )
    many = len(found.runs)
    return announce(response, f"{many} run{'' if many == 1 else 's'}.", shown=False)


@web.get(f"{PATH}/<run_id>")
def show_run(project_id: str, run_id: str) -> Response:
    try:
        project = enter_project(project_id)
        run = runs.get(me(), project.id, run_id)
    except NotFound:
        if request.htmx:
            # It was there a moment ago, and the page asks for more: loaded anew, it says so.
            return flask.make_response("", 404, {"HX-Refresh": "true"})
        raise
    return _progress(project, run)


@web.post(f"{PATH}/<run_id>/cancel")
def cancel_run(project_id: str, run_id: str) -> AnyResponse:
    project = enter_project(project_id)
    try:
        with transaction():
            run = runs.cancel(me(), project.id, run_id)
    except Conflict as conflict:
        return refuse(project, runs.get(me(), project.id, run_id), conflict)
    is_over = run.status.is_over
    words = "The run was cancelled." if is_over else "The run ends before its next step."
    if not request.htmx:
        flash(words)
        return redirect(url_for("web.show_run", project_id=project.id, run_id=run.id), 303)
    return announce(_progress(project, run, focus=True), words)


def refuse(project: Project, run: Run, conflict: Conflict) -> Response:
    """The run as it is now, with the reason: the page that was acted on is out of date."""
    refusals.note(conflict, 409)
    page = flask.render_template("runs/run.html", conflict=str(conflict), **_of(project, run))
    response = flask.make_response(page, 409)
    if request.htmx:
        # Errors are not swapped in: the whole page is loaded anew, and says it there.
        flash(str(conflict), "wrong")
        response.headers["HX-Refresh"] = "true"
    return response


def _progress(project: Project, run: Run, focus: bool = False) -> Response:
    """For htmx, what is new since the event that the page has seen; else the whole page.

    `focus`: the button that was pressed is gone, so its place takes the focus.
    """
    typed = request.values.get("seen", "")
    seen = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 9 else 0
    if request.htmx and seen == run.last_seq:
        # Most answers while it runs: without a look at its events.
        poll = {"run": run, "project": project, "now": now(), **_words()}
        return flask.make_response(flask.render_template("runs/_poll.html", **poll))
    shown = {"seen": seen, "focus": focus, **_of(project, run)}
    response = render("runs/_progress.html", "runs/run.html", **shown)
    if request.htmx and seen and run.status.is_over:
        sentence = f"{run.workflow_name}: {LABELS[run.status].lower()}."
        return announce(response, sentence, shown=False)
    return response


def _of(project: Project, run: Run) -> dict[str, Any]:
    events = run_events.after(run, 0, MOST_EVENTS)
    try:
        workflow = workflows.get(me(), project.id, run.workflow_id)
    except NotFound:
        workflow = None
    return {
        "run": run,
        "workflow": workflow,
        "entries": timeline.of(run, events),
        "now": now(),
        **_words(),
        **about(project),
    }


def _words() -> dict[str, Any]:
    return {
        "labels": LABELS,
        "advice": ADVICE,
        "took": _took,
        "shown_json": timeline.shown_json,
    }


def _took(run: Run) -> float | None:
    """Seconds that it was carried out for, so far; None where it never was."""
    if run.started_at is None:
        return None
    return ((run.finished_at or now()) - run.started_at).total_seconds()


def _wanted(project: Project) -> Filter:
    """What the address asks for; nonsense there is as good as nothing."""
    status, workflow = request.args.get("status", ""), request.args.get("workflow", "")
    return Filter(
        project.id,
        RunStatus(status) if status in set(RunStatus) else None,
        workflow if is_id(workflow, "wfl") else None,
    )


def _address(wanted: Filter) -> Callable[..., str]:
    """Of the list with these filters, but for those that are given."""
    asked: dict[str, Any] = {"status": wanted.status, "workflow": wanted.workflow_id}

    def address(**more: Any) -> str:
        return url_for("web.list_runs", project_id=wanted.project_id, **(asked | more))

    return address


def _cursor(text: str) -> str:
    return text if is_id(text, "run") else ""


def _is_most(count: int) -> bool:
    return count >= runs.MOST_COUNTED


def _count(count: int, is_more: bool) -> str:
    return f"{min(count, runs.MOST_COUNTED)}+" if is_more else str(count)
