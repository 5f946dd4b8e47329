"""`compass connections`: where work goes, with the credentials that it goes with."""

from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from compass.cli import inputs, lookup, output, session
from compass.cli.command import Group, choices
from compass.cli.failures import ExitCode

if TYPE_CHECKING:
    from compass.sdk.shapes import Connection, ConnectionKind

HEAD = ("id", "name", "kind", "address", "check", "updated")

_NONE_YET = "There are no connections. Add one: compass connections create --help"

_KIND = click.Choice(["http", "postgres"])
_config_option = click.option(
    "--config", multiple=True, metavar="NAME=VALUE", help="One member of it, such as "
    "base_url=https://api.example.org, or port:=5432 for what is JSON."
)  # fmt: skip
_config_file_option = click.option(
    "--config-file", metavar="FILE", help="The whole of it, a JSON object; - is standard input."
)
_credentials_option = click.option(
    "--credentials-file", metavar="FILE", help="A JSON object; - is standard input."
)


@click.group(cls=Group)
def connections() -> None:
    """Where work goes, and with which credentials.

    Only admin keys change them; every key may read them, without the credentials.
    """


@connections.command("list")
def list_connections() -> None:
    """List the project's connections, newest first."""
    with session.client() as compass:
        found = list(compass.connections.list())
    if choices().json:
        output.as_json(output.document(found))
        return
    output.table(HEAD, (_row(each) for each in found), _NONE_YET, {"updated"})


@connections.command("get")
@click.argument("connection", shell_complete=lookup.connection_names)
def get_connection(connection: str) -> None:
    """Show a connection, by its name or id. Credentials are never shown."""
    with session.client() as compass:
        _show(lookup.connection(compass, connection))


@connections.command("create")
@click.argument("name")
@click.option("--kind", type=_KIND, required=True)
@_config_option
@_config_file_option
@_credentials_option
def create_connection(
    name: str,
    kind: "ConnectionKind",
    config: tuple[str, ...],
    config_file: str,
    credentials_file: str,
) -> None:
    """Store a connection. Without --credentials-file it asks for them, unseen.

    \b
      compass connections create warehouse --kind postgres --config host=db.example.org \\
          --config database=orders --config user=reports
      compass connections create chat --kind http --config base_url=https://chat.example.org \\
          --credentials-file chat.json

    \b
    Credentials of http       {"auth": "none"}
                              {"auth": "bearer", "token": "…"}
                              {"auth": "basic", "username": "…", "password": "…"}
                              {"auth": "header", "name": "…", "value": "…"}
    Credentials of postgres   {"password": "…"}
    """
    wanted = _given(config, config_file)
    credentials = (
        inputs.document(credentials_file, "credentials") if credentials_file else _asked(kind)
    )
    with session.client() as compass:
        made = compass.connections.create(
            name=name, kind=kind, config=wanted, credentials=credentials
        )
    try_it = f"compass connections check {quote(made.name)}"
    _tell(made, f"Created {made.name} ({made.id}). Try it: {try_it}")


@connections.command("update")
@click.argument("connection", shell_complete=lookup.connection_names)
@click.option("--name", help="A new one.")
@click.option("--kind", type=_KIND)
@_config_option
@_config_file_option
@_credentials_option
@click.option("--ask-credentials", is_flag=True, help="Ask for new ones, unseen.")
def update_connection(
    connection: str,
    name: str | None,
    kind: str | None,
    config: tuple[str, ...],
    config_file: str,
    credentials_file: str,
    ask_credentials: bool,
) -> None:
    """Change what is given, and leave the rest.

    --config changes single members, --config-file replaces all of them. A new address, port,
    sslmode or kind needs the credentials again: what is stored never goes to another place.
    """
    if credentials_file and ask_credentials:
        raise click.UsageError("Give --credentials-file or --ask-credentials, not both.")
    with session.client() as compass:
        found = lookup.connection(compass, connection)
        change: dict[str, Any] = {"name": name, "kind": kind}
        if config_file:
            change["config"] = _given(config, config_file)
        elif config:
            change["config"] = found.config | inputs.members(config, "--config")
        if credentials_file:
            change["credentials"] = inputs.document(credentials_file, "credentials")
        elif ask_credentials:
            change["credentials"] = _asked(kind or found.kind)
        change = {member: value for member, value in change.items() if value is not None}
        if not change:
            raise click.UsageError("Say what to change: see compass connections update --help.")
        changed = compass.connections.update(found.id, **change)
    _tell(changed, f"Changed {changed.name} ({changed.id}).")


@connections.command("delete")
@click.argument("connection", shell_complete=lookup.connection_names)
@click.option("--yes", is_flag=True, help="Don't ask.")
def delete_connection(connection: str, yes: bool) -> None:
    """Delete a connection and its credentials, if no workflow uses it."""
    with session.client() as compass:
        found = lookup.connection(compass, connection)
        session.confirm(f"Delete {found.name} and its credentials?", yes)
        compass.connections.delete(found.id)
    _tell(found, f"Deleted {found.name}.")


@connections.command("check")
@click.argument("connection", shell_complete=lookup.connection_names)
def check_connection(connection: str) -> None:
    """Try it for real, from the server. Exits with 1 if it does not work."""
    with session.client() as compass:
        checked = compass.connections.check(lookup.connection(compass, connection).id)
    works = checked.check is not None and checked.check.ok
    message = checked.check.message if checked.check else ""
    _tell(checked, f"{'✓' if works else '✗'} {checked.name}: {message}")
    if not works:
        click.get_current_context().exit(ExitCode.CHECK_FAILED)


def _given(config: tuple[str, ...], config_file: str) -> dict[str, Any]:
    whole = inputs.document(config_file, "a config") if config_file else {}
    return whole | inputs.members(config, "--config")


def _asked(kind: str) -> dict[str, str]:
    """Credentials, typed unseen. Raises UsageError where there is nobody to type them."""
    session.require_person("Give --credentials-file: there is no terminal to ask on.")
    if kind == "postgres":
        return {"password": _hidden("Password")}
    auth = click.prompt(
        "How does it sign in", type=click.Choice(["none", "bearer", "basic", "header"]), err=True
    )
    match auth:
        case "bearer":
            return {"auth": auth, "token": _hidden("Token")}
        case "basic":
            username = click.prompt("Username", err=True)
            return {"auth": auth, "username": username, "password": _hidden("Password")}
        case "header":
            name = click.prompt("Name of the header", err=True)
            return {"auth": auth, "name": name, "value": _hidden("Its value")}
        case _:
            return {"auth": "none"}


def _hidden(what: str) -> str:
    typed: str = click.prompt(f"{what} (not shown)", hide_input=True, err=True)
    return typed


def _tell(connection: "Connection", sentence: str) -> None:
    if choices().json:
        output.as_json(output.document(connection))
    else:
        output.say(sentence)


def _show(connection: "Connection") -> None:
    if choices().json:
        output.as_json(output.document(connection))
        return
    config = [(f"  {name}", value) for name, value in connection.config.items()]
    output.facts(
        [
            ("Name", connection.name),
            ("Id", connection.id),
            ("Kind", connection.kind),
            ("Config", ""),
            *config,
            ("Check", _check(connection)),
            ("Created", output.moment(connection.created_at)),
            ("Updated", output.moment(connection.updated_at)),
        ]
    )


def _row(each: "Connection") -> tuple[object, ...]:
    check = None if each.check is None else "ok" if each.check.ok else "failed"
    return each.id, each.name, each.kind, _place(each), check, each.updated_at


def _place(connection: "Connection") -> str:
    config = connection.config
    return str(config.get("base_url") or f"{config.get('host')}/{config.get('database')}")


def _check(connection: "Connection") -> str:
    check = connection.check
    if check is None:
        return "never tried"
    return f"{'ok' if check.ok else check.message} ({output.moment(check.at)})"
