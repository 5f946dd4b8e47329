"""What a person calls by its name and /v1 by its id."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import click

from compass.cli import session
from compass.cli.failures import ExitCode, Failure

if TYPE_CHECKING:
    from compass.sdk.client import Compass
    from compass.sdk.shapes import Connection, Workflow

_Thing = TypeVar("_Thing", "Connection", "Workflow")

_ID = re.compile(r"(con|wfl)_[0-9a-v]{23}")


def connection(compass: "Compass", named: str) -> "Connection":
    """Raises NotFound or Failure."""
    if _ID.fullmatch(named):
        return compass.connections.get(named)
    return by_name(compass.connections.list(), named, "connection")


def workflow(compass: "Compass", named: str) -> "Workflow":
    """Raises NotFound or Failure."""
    if _ID.fullmatch(named):
        return compass.workflows.get(named)
    return by_name(compass.workflows.list(), named, "workflow")


def by_name(things: Iterable[_Thing], named: str, kind: str) -> _Thing:
    """Raises Failure."""
    for thing in things:
        if thing.name == named:
            return thing
    raise Failure(
        f"There is no {kind} named {named} in this project. List them: compass {kind}s list",
        ExitCode.NOT_FOUND,
    )


def connection_names(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """For the Tab key."""
    return _names(context, lambda compass: compass.connections.list(), typed)


def workflow_names(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """For the Tab key."""
    return _names(context, lambda compass: compass.workflows.list(), typed)


def _names(
    context: click.Context,
    things: "Callable[[Compass], Iterable[Connection | Workflow]]",
    typed: str,
) -> list[str]:
    """None at all where they can't be had soon: nobody waits for a completion."""
    try:
        with context, session.client(hurries=True) as compass:
            return [each.name for each in things(compass) if each.name.startswith(typed)]
    except Exception:
        return []
