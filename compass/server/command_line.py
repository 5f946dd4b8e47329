"""What the operator's commands stand on: an application on the database there is, refusals as
lines, and tables."""

import os
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

import click
from flask import Flask
from flask.cli import FlaskGroup, with_appcontext
from rich.console import Console
from rich.table import Table
from sqlalchemy import inspect
from sqlalchemy.exc import DatabaseError, OperationalError

from compass.server import create_app, schema
from compass.server.config import ConfigError, Settings
from compass.server.core.errors import Invalid, Refusal
from compass.server.db import db
from compass.server.web.assets import MissingAssetsError

Command = TypeVar("Command", bound=Callable[..., Any])

NEVER_CUT = {"id", "email", "role", "status", "last used", "last login"}


def app_on_what_is_there() -> Flask:
    """The application on the database there is: only `db upgrade` may make one."""
    os.umask(0o077)
    context = click.get_current_context()
    try:
        chosen = Settings.from_env()
        if (context.command.name, context.invoked_subcommand) == ("db", "upgrade"):
            chosen.home.mkdir(parents=True, exist_ok=True)
        else:
            require_file(chosen)
        return create_app(chosen)
    except (ConfigError, MissingAssetsError, OSError) as error:
        raise click.ClickException(str(error)) from None


def require_file(chosen: Settings) -> None:
    """Raises ClickException."""
    file = chosen.sqlite_file
    if file is not None and not file.exists():
        raise click.ClickException(
            f"There is no database at {file}. `compass-server serve` makes one; "
            "if yours is elsewhere, set COMPASS_HOME or COMPASS_DATABASE_URL."
        )


class Cli(FlaskGroup):
    """Knows its commands without an application, so that help never needs a database."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return click.Group.list_commands(self, ctx)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return click.Group.get_command(self, ctx, name)


def operator_command(group: click.Group, name: str) -> Callable[[Command], click.Command]:
    """A command that works on the database there is, and never makes one."""

    def declare(function: Command) -> click.Command:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            _require_database()
            try:
                function(*args, **kwargs)
            except Invalid as invalid:
                raise click.ClickException(_line(" ".join(invalid.errors.values()))) from None
            except Refusal as refusal:
                raise click.ClickException(_line(str(refusal))) from None
            except UnicodeEncodeError:
                raise click.ClickException("What was typed is not valid UTF-8.") from None
            except OperationalError as error:
                reason = " ".join(str(error.orig).split())
                raise click.ClickException(f"The database can't be used: {reason}") from None

        return group.command(name)(with_appcontext(run))

    return declare


def _line(words: str) -> str:
    """What was typed may have line breaks, and is quoted in them."""
    return " ".join(words.split())


def _require_database() -> None:
    try:
        with db.engine.connect() as connection:
            if not inspect(connection).has_table("users") or not schema.is_current(connection):
                raise click.ClickException(
                    "The database is behind this version. Run: compass-server db upgrade"
                )
    except DatabaseError as error:
        reason = " ".join(str(error.orig).split())
        raise click.ClickException(f"The database can't be used: {reason}") from None


def print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """A table on a terminal; tab-separated lines in a pipe, for programs."""
    console = Console()
    if not console.is_terminal:
        for row in (head, *rows):
            click.echo("\t".join(row))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in head:
        # An id that is cut off is of no use to the next command.
        table.add_column(name, no_wrap=name in NEVER_CUT, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)
