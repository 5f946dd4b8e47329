"""`compass keys`: the project's keys, and what a key does to itself."""

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from compass.cli import config_file, output, session, settings
from compass.cli.command import Group, choices
from compass.cli.failures import Failure

if TYPE_CHECKING:
    from compass.sdk.shapes import Key, Rotated

HEAD = ("id", "name", "owner", "role", "status", "hint", "created", "expires", "last used")

SELF = "self"


@click.group(cls=Group)
def keys() -> None:
    """The project's keys, and this one."""


@keys.command("list")
def list_keys() -> None:
    """List the project's keys, newest first.

    Needs an admin key. Never has secrets.
    """
    with session.client() as compass:
        found = list(compass.keys.list())
    if choices().json:
        output.as_json(output.document(found))
        return
    output.table(HEAD, (_row(key) for key in found), spare={"owner", "hint", "created"})


@keys.command("revoke")
@click.argument("key_id", metavar="KEY_ID|self")
@click.option("--yes", is_flag=True, help="Don't ask.")
def revoke_key(key_id: str, yes: bool) -> None:
    """Stop a key for good, at once.

    self is the key that is used here, which may always end itself: the fastest answer to a leak.
    Any other needs an admin key. Runs that were accepted go on.
    """
    with session.client() as compass:
        victim = compass.me().key if key_id == SELF else compass.keys.get(key_id)
        session.confirm(f"Stop {victim.name} ({victim.hint}) for good?", yes)
        revoked = compass.keys.revoke_self() if key_id == SELF else compass.keys.revoke(key_id)
    if choices().json:
        output.as_json(output.document(revoked))
    else:
        output.say(f"Revoked {revoked.name} ({revoked.hint}).")


@keys.command("rotate")
@click.option(
    "--overlap-hours", type=click.IntRange(1, 168), default=24, show_default=True,
    help="How long the present secret goes on working.",
)  # fmt: skip
@click.option("--store", is_flag=True, help="Put it where `compass login` does, and print nothing.")
def rotate_key(overlap_hours: int, store: bool) -> None:
    """Give the key in use a new secret.

    It is printed alone, and once. The old one goes on until the overlap ends; the expiry stays
    what it was. If the answer is lost, so is the secret: don't repeat the command then, a person
    can take the rotation back in the browser.
    """
    if store:
        config_file.require_writable()
    elif sys.stdout is None:
        raise Failure("Standard output is closed: the new secret would be lost. Nothing was done.")
    with session.client() as compass:
        base_url = compass.base_url
        rotated = compass.keys.rotate_self(overlap_hours)
    stored = store and _is_stored(rotated, base_url)
    if choices().json or not stored:
        _print(rotated, stored)
    output.note(f"The old secret works until {output.moment(rotated.previous_ends_at)}.")
    if stored:
        output.note(f"The new one is in {config_file.shown()}.")
        if variable := settings.shadowed_by():
            output.note(f"{variable} is set and goes before it: change it there too.")


def _print(rotated: "Rotated", stored: bool) -> None:
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        if choices().json:
            output.as_json(_document(rotated, stored))
        else:
            click.echo(rotated.secret)
    except OSError:
        if stored:
            raise
        _leave_standard_output()
        raise Failure(
            "The new secret could not be written to standard output, is lost, and can't be had "
            f"again. The old one works until {output.moment(rotated.previous_ends_at)}: before "
            "that, take the rotation back in the browser, on the key's page, and rotate again."
        ) from None


def _document(rotated: "Rotated", stored: bool) -> dict[str, Any]:
    return {
        **({} if stored else {"secret": rotated.secret}),
        "key": output.document(rotated.key),
        "previous_ends_at": output.document(rotated.previous_ends_at),
    }


def _leave_standard_output() -> None:
    """Or Python tries to write the rest at its end, and exits with a code of its own."""
    if sys.stdout is not None:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_stored(rotated: "Rotated", base_url: str) -> bool:
    """A secret that can't be stored is printed after all: it can't be had again."""
    try:
        config_file.write(settings.profile(), {"api_key": rotated.secret, "base_url": base_url})
    except (OSError, config_file.UnusableFile) as error:
        output.note(f"It can't be stored, and is printed instead: {error}")
        return False
    return True


def _row(key: "Key") -> tuple[object, ...]:
    return (
        key.id,
        key.name,
        key.owner.email if key.owner else None,
        key.role,
        key.status,
        key.hint,
        key.created_at,
        key.expires_at or "never",
        key.last_used_at or "never",
    )
