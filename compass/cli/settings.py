"""Where the key and the address come from: flag, environment, file; the first that has one wins.

A profile that is named on the command line goes before the environment: it was chosen later.
"""

import codecs
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click

from compass.cli import config_file, output
from compass.cli.command import choices
from compass.cli.failures import ExitCode, Failure
from compass.sdk import addresses, errors, keys

PROFILE_VARIABLE = "COMPASS_PROFILE"
BY_DEFAULT = "the default"

# More than any key with what may be around it.
_LONGEST_FILE = 64 * 1024


@dataclass(frozen=True)
class Setting:
    """A value, and where it came from in words for a person: "the variable COMPASS_API_KEY"."""

    value: str = field(repr=False)
    origin: str
    # What was around it and is not part of it.
    stripped: tuple[str, ...] = ()


def api_key() -> Setting | None:
    """Raises UnusableFile and Failure where a source is there but can't be used."""
    chosen = choices()
    if chosen.api_key:
        return setting(chosen.api_key, "the flag --api-key")
    if chosen.api_key_file:
        where = chosen.api_key_file
        return setting(read(where), "standard input" if where == "-" else f"the file {where}")
    return _first("api_key", keys.VARIABLE)


def required_key() -> Setting:
    """Raises MissingKey, and as `api_key` does."""
    key = api_key()
    if key is None:
        raise errors.MissingKey
    return key


def base_url() -> Setting:
    """As it was given; the SDK makes it an address. Raises as `api_key` does."""
    if chosen := choices().base_url:
        return Setting(chosen, "the flag --base-url")
    return _first("base_url", addresses.VARIABLE) or Setting(addresses.DEFAULT, BY_DEFAULT)


def cleaned(address: Setting) -> str:
    """What calls begin with. Raises Failure for what is no address."""
    try:
        return addresses.base_url(address.value)
    except ValueError as error:
        raise Failure(f"{error} It is from {address.origin}.", ExitCode.USAGE) from None


def profile() -> str:
    return choices().profile or os.environ.get(PROFILE_VARIABLE, "").strip()


def shadowed_by() -> str | None:
    """The variable that wins over what `login` stores, if one does."""
    if choices().profile or not _from_variable(keys.VARIABLE):
        return None
    return keys.VARIABLE


def address_shadowed_by(stored: str) -> str | None:
    """The variable that leads elsewhere than what `login` stores, if one does."""
    found = None if choices().profile else _from_variable(addresses.VARIABLE)
    try:
        leads_elsewhere = found is not None and addresses.base_url(found.value) != stored
    except ValueError:
        leads_elsewhere = True
    return addresses.VARIABLE if leads_elsewhere else None


def _first(member: str, variable: str) -> Setting | None:
    if choices().profile:
        return _from_file(member) or _from_variable(variable)
    return _from_variable(variable) or _from_file(member)


def _from_variable(variable: str) -> Setting | None:
    return setting(os.environ.get(variable, ""), f"the variable {variable}")


def _from_file(member: str) -> Setting | None:
    name = profile()
    kept = config_file.read(name)
    if not kept and name and member == "api_key":
        others = ", ".join(config_file.names()) or "none"
        raise Failure(
            f"There is no profile {name} in {config_file.shown()} (there is: {others}). "
            f"Run: compass login --profile {name}",
            ExitCode.NO_KEY,
        )
    where = f"{config_file.shown()}, profile {name}" if name else config_file.shown()
    return setting(kept.get(member, ""), f"the file {where}")


def setting(text: str, origin: str) -> Setting | None:
    """None for one that is empty, or has only what would be taken off: it counts as not set."""
    cleaned = keys.clean(text)
    return Setting(cleaned.key, origin, cleaned.stripped) if cleaned.key else None


def read(path: str) -> str:
    """What may be a key, out of a file, or standard input for `-`. Raises UsageError, Failure."""
    name = "standard input" if path == "-" else output.plain(path)
    try:
        if path == "-":
            data = sys.stdin.buffer.read(_LONGEST_FILE)
        else:
            with Path(path).open("rb") as file:
                data = file.read(_LONGEST_FILE)
    except OSError as error:
        raise click.UsageError(f"{name} can't be read: {error.strerror}.") from None
    # What PowerShell writes into a file, by default.
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8", errors="replace")
    if not keys.clean(text).key:
        raise Failure(f"There is no key in {name}: it is empty.", ExitCode.NO_KEY)
    return text
