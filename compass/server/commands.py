"""`compass-server`: what an operator does by hand, by the browser's rules and with its events.

Output for people goes to a table; `keys create` prints the secret alone, for a pipe.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click
from flask_migrate.cli import db as schema_commands

from compass.server.command_line import Cli, app_on_what_is_there, operator_command, print_table
from compass.server.config import settings
from compass.server.core import audit_export, audit_log, leaver, passwords, resets
from compass.server.core import invitations as invitation_rules
from compass.server.core import keys as key_rules
from compass.server.core import projects as project_rules
from compass.server.core import users as user_rules
from compass.server.core.access import Operator
from compass.server.core.audit_filter import Filter
from compass.server.core.clock import rfc3339
from compass.server.core.keys import WITH_PEOPLE, Draft
from compass.server.core.models import Key, KeyType, Role
from compass.server.db import db, transaction
from compass.server.serve import run_worker, serve
from compass.server.vault_commands import vault

OPERATOR = Operator()

cli = Cli(
    create_app=app_on_what_is_there,
    add_default_commands=False,
    add_version_option=False,
    load_dotenv=False,
    help="Run and operate a Compass installation.",
)
cli.params.clear()
cli.add_command(serve)
cli.add_command(run_worker)
cli.add_command(schema_commands)
cli.add_command(vault)


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


@cli.group()
def audit() -> None:
    """The record of what was done."""


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
    everyone = user_rules.everyone()
    ids = [user.id for user in everyone]
    last_logins, memberships = user_rules.last_logins(ids), project_rules.memberships(ids)
    print_table(
        ("id", "email", "name", "role", "status", "last login", "projects"),
        (
            (
                user.id,
                user.email,
                user.name,
                "admin" if user.is_admin else "member",
                "disabled" if user.disabled_at else "active",
                rfc3339(last_logins[user.id])[:16] + "Z" if user.id in last_logins else "-",
                ", ".join(each.project.name for each in memberships[user.id]) or "-",
            )
            for user in everyone
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


@operator_command(users, "reset-link")
@click.argument("email")
def make_reset_link(email: str) -> None:
    """Print a link that sets a new password: once, within 24 hours."""
    with transaction():
        token = resets.create(OPERATOR, user_rules.by_email(email))
    click.echo(f"{settings().shown_url}/reset/{token}")


@operator_command(users, "invite")
@click.argument("email")
@click.option("--admin", is_flag=True, help="Of the organization, and so of every project.")
@click.option("--project", help="Its name: they join it too.")
@role_option
def invite(email: str, admin: bool, project: str | None, role: str | None) -> None:
    """Print a link that makes an account: once, within 7 days."""
    if role and not project:
        raise click.UsageError("--role is the one in the project: it goes with --project.")
    if project == "":
        raise click.UsageError("--project takes a project's name.")
    with transaction():
        project_id = project_rules.by_name(project).id if project else ""
        in_organization = Role.ADMIN if admin else Role.MEMBER
        token, _ = invitation_rules.create(
            OPERATOR, email, in_organization.value, project_id, role or ""
        )
    click.echo(f"{settings().shown_url}/invitations/{token}")


@operator_command(users, "invitations")
def list_invitations() -> None:
    """List invitations that were not accepted yet."""
    print_table(
        ("id", "email", "role", "project", "expires"),
        (
            (
                each.id,
                each.email,
                "admin" if each.is_admin else "member",
                f"{each.project.name} ({each.role.value})" if each.project else "-",
                rfc3339(each.expires_at)[:16] + "Z",
            )
            for each in invitation_rules.pending()
        ),
    )


@operator_command(users, "uninvite")
@click.argument("invitation_id")
def revoke_invitation(invitation_id: str) -> None:
    """Revoke an invitation: its link stops."""
    with transaction():
        invitation_rules.revoke(OPERATOR, invitation_id)


@operator_command(users, "leaving")
@click.argument("email")
@click.option("--project", help="Its name: what stops when they leave that one alone.")
def report_leaver(email: str, project: str | None) -> None:
    """What stops if they are disabled, and which secrets they have seen.

    `stops` is a personal token of theirs; `seen` a service account that goes on, for whoever
    copied its secret too: rotate it.
    """
    found = leaver.report(
        user_rules.by_email(email), project_rules.by_name(project) if project else None
    )
    listed = [("stops", key) for key in found.tokens] + [("seen", key) for key in found.seen]
    print_table(
        ("what", "id", "name", "project", "role", "last used", "from"),
        (
            (
                what,
                key.id,
                key.name,
                key.project.name,
                key.role.value,
                rfc3339(key.last_used_at)[:16] + "Z" if key.last_used_at else "-",
                (key.last_use.last_used_address if key.last_use else None) or "-",
            )
            for what, key in listed
        ),
    )


@operator_command(projects, "create")
@click.argument("name")
@click.option("--description", default="")
def create_project(name: str, description: str) -> None:
    """Create a project."""
    with transaction():
        project = project_rules.create(OPERATOR, name, description)
    click.echo(project.id)


@operator_command(projects, "change")
@click.argument("project")
@click.option("--name", help="A new one.")
@click.option("--description", help="A new one.")
def change_project(project: str, name: str | None, description: str | None) -> None:
    """Rename or describe a project."""
    if name is None and description is None:
        raise click.UsageError("Give --name, --description or both.")
    with transaction():
        found = project_rules.by_name(project)
        project_rules.change(
            OPERATOR,
            found,
            found.name if name is None else name,
            found.description if description is None else description,
        )


@operator_command(projects, "delete")
@click.argument("project")
@click.option("--confirm", required=True, metavar="NAME", help="Its name once more.")
def delete_project(project: str, confirm: str) -> None:
    """Delete a project for good, with its keys and all else in it."""
    with transaction():
        project_rules.delete_for_good(OPERATOR, project_rules.by_name(project), confirm)


@operator_command(projects, "list")
def list_projects() -> None:
    """List all projects."""
    print_table(
        ("id", "name", "live keys"),
        (
            (each.id, each.name, str(project_rules.live_keys(each)))
            for each in project_rules.all_projects()
        ),
    )


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
    print_table(
        ("email", "name", "role"), ((m.user.email, m.user.name, m.role.value) for m in found)
    )


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
    print_table(
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


@operator_command(audit, "export")
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl"]), default="jsonl")
@click.option("--actor", default="", help="An email address, a name or an id.")
@click.option("--action", default="", help="Such as key.revoked.")
@click.option("--project", help="Its name.")
@click.option("--key", default="", help="A name, a hint or an id.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="A day in UTC, included.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="A day in UTC, included.")
def export_audit(
    kind: str,
    actor: str,
    action: str,
    project: str | None,
    key: str,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Print events, the newest first."""
    wanted = Filter(
        actor=actor,
        action=action,
        project_id=project_rules.by_name(project).id if project else "",
        key=key,
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) + timedelta(days=1) if until else None,
    )
    write = audit_export.as_csv if kind == "csv" else audit_export.as_json_lines
    for text in write(audit_log.stream(OPERATOR, wanted)):
        click.echo(text, nl=False)
