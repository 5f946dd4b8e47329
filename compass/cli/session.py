"""The SDK's client with the key and address of the settings, and the person at the terminal."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

import click

from compass.cli import output, settings
from compass.cli.command import choices
from compass.cli.failures import ExitCode, Failure
from compass.sdk.keys import complaint

if TYPE_CHECKING:
    from compass.cli.debug import Shown
    from compass.sdk.client import Compass


class _Patience(TypedDict):
    timeout: float
    max_retries: int


_PATIENT: _Patience = {"timeout": 30, "max_retries": 2}
_HURRIED: _Patience = {"timeout": 2, "max_retries": 0}


@contextmanager
def client(hurries: bool = False) -> Iterator["Compass"]:
    """Raises MissingKey, Failure, UnusableFile."""
    key = settings.required_key()
    with client_with(key, settings.base_url(), hurries) as compass:
        yield compass


@contextmanager
def client_with(
    key: settings.Setting, address: settings.Setting, hurries: bool = False
) -> Iterator["Compass"]:
    """Tells at its end, in one line, if the key is about to expire. Raises Failure.

    `hurries`: for a question that nobody waits for, or that is one of many. Tells nothing.
    """
    if wrong := complaint(key.value):
        raise Failure(f"{wrong} It is from {key.origin}.", ExitCode.KEY_REFUSED)
    base_url = settings.cleaned(address)
    from compass.sdk.client import Compass
    from compass.sdk.session import KeyExpires

    with warnings.catch_warnings():
        # Said below, in one line and without the line of code.
        warnings.simplefilter("ignore", KeyExpires)
        patience = _HURRIED if hurries else _PATIENT
        with Compass(key.value, base_url, transport=_shown(base_url), **patience) as compass:
            try:
                yield compass
            finally:
                if not hurries:
                    _warn(compass.key_expires_at)


def confirm(question: str, is_sure: bool) -> None:
    """Asks whoever is there; a script that calls a command has decided. Raises Failure for no."""
    if is_sure or not sys.stdin.isatty() or click.confirm(output.plain(question), err=True):
        return
    raise Failure("Nothing was changed.")


def require_person(otherwise: str) -> None:
    """Before a question. Raises UsageError where there is nobody to answer it."""
    if not sys.stdin.isatty():
        raise click.UsageError(otherwise)


def _warn(expires_at: datetime | None) -> None:
    if expires_at:
        left = output.left(expires_at, datetime.now(UTC))
        output.note(
            f"This key expires on {output.moment(expires_at)}, {left}: rotate it in the browser, "
            "at Settings → Developers → API Keys."
        )


def _shown(base_url: str) -> "Shown | None":
    if not choices().debug:
        return None
    from compass.cli import debug

    return debug.Shown(base_url)
