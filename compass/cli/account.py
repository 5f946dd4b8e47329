"""`compass login`, `logout`, `whoami`: which key, for which project."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from compass.cli import config_file, output, session, settings
from compass.cli.command import Command, choices
from compass.cli.failures import ExitCode, Failure
from compass.cli.settings import Setting
from compass.sdk import keys

if TYPE_CHECKING:
    from compass.sdk.shapes import Me


@click.command(cls=Command)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the key from standard input.")
def login(from_stdin: bool) -> None:
    """Store a key that the server accepts.

    Asks for the key without showing it. It is kept in ~/.config/compass/config.toml (mode 0600),
    with the address: --base-url, COMPASS_BASE_URL, or what you are asked for. With --profile it is
    kept beside others; --profile or COMPASS_PROFILE choose it later.
    """
    config_file.require_writable()
    address = _address(asks=not from_stdin)
    settings.cleaned(address)
    key = _key(from_stdin)
    if key is None:
        raise Failure("No key was given, and nothing was stored.", ExitCode.NO_KEY)
    with session.client_with(key, address) as compass:
        me = compass.me()
        kept = {"api_key": key.value, "base_url": compass.base_url}
    config_file.write(settings.profile(), kept)
    if choices().json:
        output.as_json(output.document(me) | {"stored_in": str(config_file.path())})
    else:
        output.say(f"Signed in to {me.project.name} as {me.key.name} ({_kind(me)}, {me.role}).")
        output.note(f"Stored in {config_file.shown()}.")
    for variable in (settings.shadowed_by(), settings.address_shadowed_by(kept["base_url"])):
        if variable:
            output.note(f"{variable} is set and goes before it. Unset it to use what was stored.")


def _address(asks: bool) -> Setting:
    found = settings.base_url()
    if found.origin == settings.BY_DEFAULT and asks and sys.stdin.isatty():
        typed = click.prompt("Address of Compass", default=found.value, err=True)
        return Setting(typed, "the keyboard")
    return found


def _key(from_stdin: bool) -> Setting | None:
    """From a flag, standard input, or the person; never from a variable, which is set already."""
    if choices().api_key or choices().api_key_file:
        return settings.api_key()
    if from_stdin or not sys.stdin.isatty():
        return settings.setting(settings.read("-"), "standard input")
    typed = click.prompt("API key (not shown)", hide_input=True, default="", show_default=False,
                         err=True)  # fmt: skip
    return settings.setting(typed, "the keyboard")


@click.command(cls=Command)
def logout() -> None:
    """Forget the stored key.

    It goes on working elsewhere. To end the key itself, for all who have it, run before:
    compass keys revoke self
    """
    name = settings.profile()
    was_there = bool(config_file.read(name))
    if was_there:
        config_file.write(name, {})
    if choices().json:
        output.as_json({"removed": was_there})
    elif was_there:
        output.say(f"Removed from {config_file.shown()}. The key itself still works.")
    else:
        output.say("There was no stored key.")
    if variable := settings.shadowed_by():
        output.note(f"{variable} is still set, and will be used.")


@click.command(cls=Command)
def whoami() -> None:
    """Which key is used, and what it may do."""
    key, address = settings.required_key(), settings.base_url()
    with session.client_with(key, address) as compass:
        me = compass.me()
        base_url = compass.base_url
    if choices().json:
        found = {"api_key": key.origin, "base_url": address.origin}
        output.as_json(output.document(me) | {"base_url": base_url, "from": found})
        return
    output.facts(
        [
            ("Project", f"{me.project.name} ({me.project.id})"),
            ("Key", f"{me.key.name} ({me.key.id}), {_kind(me)}"),
            ("Role", me.role),
            ("Owner", f"{me.user.name} <{me.user.email}>" if me.user else None),
            ("Expires", expiry(me)),
            ("API key", f"{keys.hint(key.value)}, from {key.origin}"),
            ("Address", f"{base_url}, from {address.origin}"),
        ]
    )


def expiry(me: "Me") -> str:
    if me.key.expires_at is None:
        return "never"
    left = output.left(me.key.expires_at, datetime.now(UTC))
    return f"{output.moment(me.key.expires_at)}, {left}"


def _kind(me: "Me") -> str:
    return "service account" if me.key.type == "service_account" else "personal token"
