"""`compass run`: starts a workflow and, unless it is told not to, waits for what comes of it."""

import click

from compass.cli import follow, inputs, lookup, output, session
from compass.cli.command import Command, choices
from compass.cli.failures import ExitCode


@click.command(cls=Command)
@click.argument("workflow", shell_complete=lookup.workflow_names)
@click.option(
    "--input", "pairs", multiple=True, metavar="NAME=TEXT", help="One member of the input: "
    "day=2026-11-01, or count:=3 for what is JSON. Can be given again."
)  # fmt: skip
@click.option(
    "--input-file", metavar="FILE", help="The input, a JSON object; - is standard input. --input "
    "goes before its members."
)  # fmt: skip
@click.option("--follow", "follows", is_flag=True, help="Print what happens, as it happens.")
@click.option("--no-wait", is_flag=True, help="Print the run's id at once and leave it to itself.")
def run(
    workflow: str, pairs: tuple[str, ...], input_file: str, follows: bool, no_wait: bool
) -> None:
    """Run a workflow and print its output.

    WORKFLOW is its name or id. Exits with 1 if the run failed or was cancelled. Ctrl-C stops the
    waiting, not the run.

    \b
      compass run nightly-report --input day=2026-11-01
      compass run nightly-report --input-file input.json --follow
      id=$(compass run nightly-report --input day=2026-11-01 --no-wait)

    With --json the run itself is printed; with --follow and --json one object in a line:
    {"event": …} for each event and {"run": …} at the end.
    """
    if follows and no_wait:
        raise click.UsageError("Give --follow or --no-wait, not both.")
    given = inputs.document(input_file, "an input") if input_file else {}
    given |= inputs.members(pairs, "--input")
    with session.client() as compass:
        with follow.perhaps_started():
            started = compass.runs.create(workflow, given)
        if no_wait:
            if choices().json:
                output.as_json(output.document(started))
            else:
                output.say(started.id)
                output.note(f"See it: compass runs get {started.id}")
            return
        with follow.left_alone(started.id):
            ended = follow.to_the_end(compass, started, follows)
    follow.conclude(ended, follows)
    if ended.status != "succeeded":
        click.get_current_context().exit(ExitCode.RUN_FAILED)
