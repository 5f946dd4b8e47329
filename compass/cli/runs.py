"""`compass runs`: what was started, and what became of it."""

from itertools import islice
from typing import TYPE_CHECKING

import click

from compass.cli import follow, lookup, output, session
from compass.cli.command import Group, choices

if TYPE_CHECKING:
    from compass.sdk.shapes import Run, RunStatus

HEAD = ("id", "workflow", "status", "started by", "created", "took")

_STATUS = click.Choice(["queued", "running", "succeeded", "failed", "cancelled"])


@click.group(cls=Group)
def runs() -> None:
    """What was started, and what became of it."""


@runs.command("list")
@click.option("--status", type=_STATUS)
@click.option("--workflow", help="Its name or id.", shell_complete=lookup.workflow_names)
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many."
)
def list_runs(status: "RunStatus | None", workflow: str | None, limit: int) -> None:
    """List the project's runs, newest first."""
    with session.client() as compass:
        found = list(islice(compass.runs.list(status=status, workflow=workflow), limit))
    if choices().json:
        output.as_json(output.document(found))
        return
    rows = (
        (r.id, r.workflow.name, r.status, r.started_by.name, r.created_at, took(r)) for r in found
    )
    output.table(HEAD, rows, "There are no runs. Start one: compass run WORKFLOW", {"started by"})


@runs.command("get")
@click.argument("run_id")
def get_run(run_id: str) -> None:
    """Show a run: its input, and its output or what went wrong."""
    with session.client() as compass:
        run = compass.runs.get(run_id)
    if choices().json:
        output.as_json(output.document(run))
        return
    output.facts(
        [
            ("Run", run.id),
            ("Workflow", f"{run.workflow.name}, version {run.workflow.version}"),
            ("Status", run.status),
            ("Started by", run.started_by.name),
            ("Created", output.moment(run.created_at)),
            ("Took", took(run)),
            ("Attempt", run.attempt),
            *([("Error", follow.reason(run))] if run.error else []),
        ]
    )
    for title, value in (("Input", run.input), ("Output", run.output)):
        if value is not None:
            output.heading(title)
            output.pretty(value)


@runs.command("events")
@click.argument("run_id")
@click.option("--follow", "follows", is_flag=True, help="Go on until the run has ended.")
def list_events(run_id: str, follows: bool) -> None:
    """Show what happened in a run, in order.

    With --follow and --json: one JSON object in a line for each event.
    """
    with session.client() as compass:
        if follows:
            for event in follow.events(compass, run_id):
                follow.show(event)
            return
        found = list(compass.runs.events(run_id))
    if choices().json:
        output.as_json(output.document(found))
        return
    for event in found:
        follow.show(event)


@runs.command("cancel")
@click.argument("run_id")
def cancel_run(run_id: str) -> None:
    """Cancel a run.

    One that waits ends at once, one that is running before its next step.
    """
    with session.client() as compass:
        run = compass.runs.cancel(run_id)
    if choices().json:
        output.as_json(output.document(run))
    elif run.status == "cancelled":
        output.say(f"Cancelled {run.id}.")
    else:
        output.say(f"{run.id} ends before its next step. See it: compass runs get {run.id}")


def took(run: "Run") -> str | None:
    """From its start to its end, in seconds."""
    if run.started_at is None or run.finished_at is None:
        return None
    return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"
