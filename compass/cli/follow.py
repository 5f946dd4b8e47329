"""Stays with a run until it has ended. The SDK outlasts a restart of the server meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from compass.cli import failures, output
from compass.cli.command import choices
from compass.cli.failures import ExitCode, Failure
from compass.sdk.errors import CompassError

if TYPE_CHECKING:
    from compass.sdk.client import Compass
    from compass.sdk.shapes import Run, RunEvent

# Seconds that a server may be away: a restart takes less, with a new version's migrations too.
PATIENCE = 300


def events(compass: "Compass", run_id: str) -> Iterator["RunEvent"]:
    """All events up to the run's end, as they happen."""
    return compass.runs.follow(run_id, patience=PATIENCE)


def to_the_end(compass: "Compass", run: "Run", follows: bool) -> "Run":
    """The run as it ended. Shows its events, or on a terminal that it is under way."""
    with _progress(run, hidden=follows) as tell:
        for event in events(compass, run.id):
            if follows:
                show(event, wrapped=True)
            else:
                tell(event)
    return compass.runs.wait(run.id, patience=PATIENCE)


@contextmanager
def perhaps_started() -> Iterator[None]:
    """Who stops the command while it asks for the run can't know whether there is one."""
    try:
        yield
    except KeyboardInterrupt:
        output.note("\nThe run may have been started. See it: compass runs list")
        click.get_current_context().exit(ExitCode.INTERRUPTED)


@contextmanager
def left_alone(run_id: str) -> Iterator[None]:
    """Whatever ends the waiting leaves the run, and says how to find it again."""
    again = f"See it: compass runs get {run_id}\nStop it: compass runs cancel {run_id}"
    try:
        yield
    except KeyboardInterrupt:
        output.note(f"\nThe run goes on.\n{again}")
        click.get_current_context().exit(ExitCode.INTERRUPTED)
    except CompassError as error:
        failure = failures.of(error)
        words = f"{failure}\nThe run does not depend on it.\n{again}"
        raise Failure(words, failure.code) from None


def show(event: "RunEvent", wrapped: bool = False) -> None:
    """One event, in a line. `wrapped`: where other things come in lines of JSON too."""
    if choices().json:
        told = output.document(event)
        output.as_json_line({"event": told} if wrapped else told)
        return
    data = event.data if isinstance(event.data, dict) else {}
    attempt = f"attempt {data['attempt']}" if data.get("attempt", 1) != 1 else ""
    about = data.get("message") or attempt
    words = event.type.replace("_", " ").ljust(16)
    output.say(f"{event.time:%H:%M:%S}Z  {words}  {event.step or '':<20}  {about}".rstrip())


def conclude(run: "Run", follows: bool) -> None:
    """The output on standard output, how it ended on standard error."""
    if choices().json:
        told = output.document(run)
        if follows:
            output.as_json_line({"run": told})
        else:
            output.as_json(told)
        return
    if run.output is not None:
        output.pretty(run.output)
    mark = "✓" if run.status == "succeeded" else "✗"
    because = f" {reason(run)}" if run.error else ""
    output.note(f"{mark} {run.workflow.name} {run.status}{because} ({run.id})")


def reason(run: "Run") -> str:
    """Why it failed, and where."""
    error = run.error
    if error is None:
        return ""
    where = f"at step {error.step}: " if error.step else ""
    return f"{where}{error.message} ({error.code})"


@contextmanager
def _progress(run: "Run", hidden: bool) -> Iterator[Callable[["RunEvent"], None]]:
    """A line that moves, on standard error if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield lambda event: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        name = output.plain(run.workflow.name)
        task = progress.add_task(f"{name}: queued")

        def tell(event: "RunEvent") -> None:
            about = event.step if event.type == "step_started" else event.type.replace("_", " ")
            progress.update(task, description=f"{name}: {output.plain(about)}")

        yield tell
