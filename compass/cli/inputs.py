"""What is given on the command line and in files, read: a run's input, a document, credentials."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from compass.cli import output

Members = dict[str, Any]


def members(pairs: Iterable[str], option: str) -> Members:
    """`name=text` and `name:=json`; of two of one name, the last. Raises UsageError."""
    found: Members = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.rstrip(":"):
            raise click.UsageError(f"{option} takes name=text or name:=json, not {_shown(pair)}.")
        if not name.endswith(":"):
            found[name] = value
            continue
        try:
            found[name[:-1]] = _parsed(value)
        except ValueError:
            raise click.UsageError(
                f"{option} {name[:-1]}:= takes JSON, such as 3, true or '[\"a\"]'; for a text "
                f"write {name[:-1]}=…"
            ) from None
    return found


def document(path: str, what: str) -> Members:
    """A JSON object out of a file, or of standard input for `-`. Raises UsageError.

    What is wrong with it is told without quoting it: it may be credentials.
    """
    name = "standard input" if path == "-" else output.plain(path)
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        found = _parsed(data.decode("utf-8-sig"))
    except OSError as error:
        raise click.UsageError(f"{name} can't be read: {error.strerror}.") from None
    except json.JSONDecodeError as error:
        raise click.UsageError(
            f"{name} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError:
        raise click.UsageError(f"{name} is not JSON in UTF-8.") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{name} is not {what}: a JSON object is needed, as {{…}}.")
    return found


def _parsed(text: str) -> Any:
    """Strictly as RFC 8259 has it: Python alone also reads NaN. Raises ValueError."""

    def refuse(_: str) -> None:
        raise ValueError("not a number of JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _shown(pair: str) -> str:
    return f"{output.plain(pair)[:40]!r}"
