"""`compass-server`: what an operator does by hand, by the browser's rules and with its events.

Output for people goes to a table; `keys create` prints the secret alone, for a pipe.
"""

import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

import click
from flask import Flask
from flask.cli import FlaskGroup, with_appcontext
from flask_migrate.cli import db as schema_commands
from rich.console import Console
from rich.table import Table
from sqlalchemy import inspect
from sqlalchemy.exc import DatabaseError

from compass.server import create_app, schema
from compass.server.config import ConfigError, Settings
from compass.server.core import keys as key_rules
from compass.server.core import passwords
from compass.server.core import projects as project_rules
from compass.server.core import users as user_rules
from compass.server.core.access import Operator
from compass.server.core.clock import rfc3339
from compass.server.core.errors import Invalid, Refusal
from compass.server.core.keys import WITH_PEOPLE, Draft
from compass.server.core.models import Key, KeyType, Role
from compass.server.db import db, transaction
from compass.server.serve import serve
from compass.server.web.assets import MissingAssetsError

Command = TypeVar("Command", bound=Callable[..., Any])

OPERATOR = Operator()

NEVER_CUT = {"id", "email", "role", "status", "last used"}


def _app() -> Flask:
    """The application on the database there is: only `db upgrade` may make one."""
    os.umask(0o077)
    context = click.get_current_context()
    try:
        settings = Settings.from_env()
        if (context.command.name, context.invoked_subcommand) == ("db", "upgrade"):
            settings.home.mkdir(parents=True, exist_ok=True)
        else:
            _require_file(settings)
        return create_app(settings)
    except (ConfigError, MissingAssetsError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _require_file(settings: Settings) -> None:
    file = settings.sqlite_file
    if file is not None and not file.exists():
        raise click.ClickException(
            f"There is no database at {file}. `compass-server serve` makes one; "
            "if yours is elsewhere, set COMPASS_HOME or COMPASS_DATABASE_URL."
        )


class _Cli(FlaskGroup):
    """Knows its commands without an application, so that help never needs a database."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return click.Group.list_commands(self, ctx)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return click.Group.get_command(self, ctx, name)


cli = _Cli(
    create_app=_app,
    add_default_commands=False,
    add_version_option=False,
    load_dotenv=False,
    help="Run and operate a Compass installation.",
)
cli.params.clear()
cli.add_command(serve)
cli.add_command(schema_commands)


def operator_command(group: click.Group, name: str) -> Callable[[Command], click.Command]:
    """A command that works on the database there is, and never makes one."""

    def declare(function: Command) -> click.Command:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            _require_database()
            try:
                function(*args, **kwargs)
            except Invalid as invalid:
                raise click.ClickException(" ".join(invalid.errors.values())) from None
            except Refusal as refusal:
                raise click.ClickException(str(refusal)) from None
            except UnicodeEncodeError:
                raise click.ClickException("What was typed is not valid UTF-8.") from None

        return group.command(name)(with_appcontext(run))

    return declare


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


@cli.group()
def users() -> None:
    """People who can sign in."""


@cli.group()
def projects() -> None:
    """Projects, which keys belong to."""


@cli.group()
def members() -> None:
    """Who is in which project."""


@cli.group()
def keys() -> None:
    """API keys."""


password_option = click.option(
    "--password-stdin", is_flag=True, required=True, help="Read it from standard input."
)
role_option = click.option("--role", type=click.Choice([role.value for role in Role]))


def _password() -> str:
    """The first line of standard input, without its end."""
    return passwords.hash_password(sys.stdin.readline().rstrip("\r\n"))


@operator_command(users, "create")
@click.argument("email")
@click.option("--name", required=True)
@click.option("--admin", is_flag=True, help="Of the organization, and so of every project.")
@password_option
def create_user(email: str, name: str, admin: bool, password_stdin: bool) -> None:
    """Create an account."""
    password_hash = _password()
    with transaction():
        user = user_rules.create(OPERATOR, email, name, password_hash, admin)
    click.echo(user.id)


@operator_command(users, "list")
def list_users() -> None:
    """List everyone."""
    _table(
        ("id", "email", "name", "role", "status"),
        (
            (
                user.id,
                user.email,
                user.name,
                "admin" if user.is_admin else "member",
                "disabled" if user.disabled_at else "active",
            )
            for user in user_rules.everyone()
        ),
    )


def _user_command(name: str, rule: Callable[..., None], text: str) -> None:
    @operator_command(users, name)
    @click.argument("email")
    def change(email: str) -> None:
        with transaction():
            rule(OPERATOR, user_rules.by_email(email))

    change.help = text


_user_command("disable", user_rules.disable, "End their sessions and stop their tokens.")
_user_command("enable", user_rules.enable, "Let them sign in again.")
_user_command("promote", user_rules.promote, "Make them an organization admin.")
_user_command("demote", user_rules.demote, "Make them a member of the organization.")


@operator_command(users, "password")
@click.argument("email")
@password_option
def set_password(email: str, password_stdin: bool) -> None:
    """Set a password; ends their sessions and any lock on their account."""
    password_hash = _password()
    with transaction():
        user_rules.set_password(OPERATOR, user_rules.by_email(email), password_hash)


@operator_command(projects, "create")
@click.argument("name")
def create_project(name: str) -> None:
    """Create a project."""
    with transaction():
        project = project_rules.create(OPERATOR, name)
    click.echo(project.id)


@operator_command(projects, "list")
def list_projects() -> None:
    """List all projects."""
    _table(("id", "name"), ((each.id, each.name) for each in project_rules.all_projects()))


@operator_command(members, "set")
@click.argument("project")
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
def set_member(project: str, email: str, role: str) -> None:
    """Add somebody to a project, or change their role in it."""
    with transaction():
        project_rules.set_member(
            OPERATOR, project_rules.by_name(project), user_rules.by_email(email), Role(role)
        )


@operator_command(members, "remove")
@click.argument("project")
@click.argument("email")
def remove_member(project: str, email: str) -> None:
    """Take somebody out of a project; their tokens in it stop."""
    with transaction():
        project_rules.remove_member(
            OPERATOR, project_rules.by_name(project), user_rules.by_email(email)
        )


@operator_command(members, "list")
@click.argument("project")
def list_members(project: str) -> None:
    """List who is in a project."""
    found = project_rules.members(project_rules.by_name(project))
    _table(("email", "name", "role"), ((m.user.email, m.user.name, m.role.value) for m in found))


@operator_command(keys, "create")
@click.option("--project", required=True, help="Its name.")
@click.option("--name", required=True)
@click.option(
    "--type",
    "key_type",
    type=click.Choice([kind.value for kind in KeyType]),
    default=KeyType.SERVICE_ACCOUNT.value,
    show_default=True,
)
@click.option("--owner", metavar="EMAIL", help="Whom a personal token acts as.")
@role_option
@click.option("--expires-in-days", default="", help="Left out: never.")
def create_key(
    project: str,
    name: str,
    key_type: str,
    owner: str | None,
    role: str | None,
    expires_in_days: str,
) -> None:
    """Create a key and print its secret, alone and once."""
    if (key_type == KeyType.PERSONAL) != bool(owner):
        raise click.UsageError("--owner goes with --type personal, and only with it.")
    with transaction():
        draft = Draft(
            name=name,
            type=key_type,
            project_id=project_rules.by_name(project).id,
            role=role or "",
            expires_in_days=expires_in_days,
        )
        person = user_rules.by_email(owner) if owner else None
        secret, _ = key_rules.create(OPERATOR, draft, owner=person)
    click.echo(secret)


@operator_command(keys, "list")
@click.option("--project", help="Its name. Left out: all projects.")
def list_keys(project: str | None) -> None:
    """List keys, newest first; never their secrets."""
    query = db.select(Key).order_by(Key.id.desc()).options(*WITH_PEOPLE)
    if project:
        query = query.where(Key.project_id == project_rules.by_name(project).id)
    _table(
        ("id", "name", "owner", "project", "role", "status", "last used"),
        (
            (
                key.id,
                key.name,
                key.owner.email if key.owner else "-",
                key.project.name,
                key.role.value,
                key.status.value,
                rfc3339(key.last_used_at)[:16] + "Z" if key.last_used_at else "-",
            )
            for key in db.session.scalars(query)
        ),
    )


@operator_command(keys, "revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Stop a key for good, from the next request on."""
    with transaction():
        key_rules.revoke(OPERATOR, key_id)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
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
