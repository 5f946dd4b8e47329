"""`compass workflows`: what may be done with connections."""

from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from compass.cli import inputs, lookup, output, session
from compass.cli.command import Group, choices
from compass.cli.failures import ExitCode, Failure

if TYPE_CHECKING:
    from compass.sdk.client import Compass
    from compass.sdk.shapes import Workflow

HEAD = ("id", "name", "version", "steps", "updated")
_NONE_YET = "There are no workflows. Add one: compass workflows apply FILE"

MEMBERS = {"name", "input_schema", "steps", "output"}


@click.group(cls=Group)
def workflows() -> None:
    """What may be done with connections.

    Only admin keys change them; every key may run them.
    """


@workflows.command("list")
def list_workflows() -> None:
    """List the project's workflows, newest first."""
    with session.client() as compass:
        found = list(compass.workflows.list())
    if choices().json:
        output.as_json(output.document(found))
        return
    rows = ((w.id, w.name, w.version, _steps(w), w.updated_at) for w in found)
    output.table(
        HEAD, rows, "There are no workflows. Add one: compass workflows apply FILE", {"steps"}
    )


@workflows.command("get")
@click.argument("workflow", shell_complete=lookup.workflow_names)
def get_workflow(workflow: str) -> None:
    """Show a workflow, by its name or id, as `apply` takes it.

    \b
      compass workflows get nightly-report > nightly-report.json
    """
    with session.client() as compass:
        found = output.document(lookup.workflow(compass, workflow))
    if choices().json:
        output.as_json(found)
        return
    output.note(f"{found['name']} ({found['id']}), version {found['version']}")
    output.pretty({member: found[member] for member in found if member in MEMBERS})


@workflows.command("apply")
@click.argument("file")
def apply_workflow(file: str) -> None:
    """Create or replace the workflow in a file.

    It replaces the one of the same name; applying the same again changes nothing. FILE (- is
    standard input) is a JSON object with name, steps, and if you like input_schema and output.
    """
    wanted = inputs.document(file, "a workflow")
    # What `get --json` adds is not part of the document.
    for member in ("id", "version", "created_at", "updated_at"):
        wanted.pop(member, None)
    if unknown := sorted(set(wanted) - MEMBERS):
        raise Failure(f"A workflow has no {', '.join(unknown)}: {', '.join(sorted(MEMBERS))}.")
    if not isinstance(wanted.get("name"), str) or not isinstance(wanted.get("steps"), list):
        raise Failure('A workflow has a "name", a text, and "steps", a list.')
    with session.client() as compass:
        before = _of_name(compass, wanted["name"])
        after = _applied(compass, before, wanted)
    if choices().json:
        output.as_json(output.document(after))
    elif before is None:
        output.say(f"Created {after.name} ({after.id}). Run it: compass run {quote(after.name)}")
    elif before.version == after.version:
        output.say(f"{after.name} is as in the file already: version {after.version}.")
    else:
        output.say(f"Replaced {after.name}: version {after.version}.")


@workflows.command("delete")
@click.argument("workflow", shell_complete=lookup.workflow_names)
@click.option("--yes", is_flag=True, help="Don't ask.")
def delete_workflow(workflow: str, yes: bool) -> None:
    """Delete a workflow; its runs stay."""
    with session.client() as compass:
        found = lookup.workflow(compass, workflow)
        session.confirm(f"Delete {found.name}?", yes)
        compass.workflows.delete(found.id)
    if choices().json:
        output.as_json(output.document(found))
    else:
        output.say(f"Deleted {found.name}.")


def _of_name(compass: "Compass", name: str) -> "Workflow | None":
    try:
        return lookup.by_name(compass.workflows.list(), name, "workflow")
    except Failure as failure:
        if failure.code != ExitCode.NOT_FOUND:
            raise
        return None


def _applied(compass: "Compass", before: "Workflow | None", wanted: dict[str, Any]) -> "Workflow":
    if before is None:
        return compass.workflows.create(**wanted)
    return compass.workflows.replace(before.id, **wanted)


def _steps(workflow: "Workflow") -> str:
    return ", ".join(str(step.get("name")) for step in workflow.steps)
