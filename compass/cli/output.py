"""What is printed: tables for people, lines for pipes, JSON for programs.

Names and answers come from elsewhere; nothing in them may move the cursor, colour the terminal
or pass for a line of ours.
"""

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

NONE = "–"

# A cut-off id is of no use to the next command.
_NEVER_CUT = {"id", "status", "role", "created", "started", "expires", "last used"}
# Control characters, and marks that reorder text (Unicode's Bidi_Control).
_REORDERING = {
    *"\u061c\u200e\u200f",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}


def plain(text: object, keep: str = "") -> str:
    """The text without what a terminal would obey."""
    return "".join(char if char in keep or not _is_obeyed(char) else "\ufffd" for char in str(text))


def _is_obeyed(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs"} or char in _REORDERING


def say(text: str) -> None:
    """The result, on standard output."""
    click.echo(plain(text, keep="\n\t"))


def note(text: str) -> None:
    """Beside the result, on standard error."""
    click.echo(plain(text, keep="\n"), err=True)


def document(value: Any) -> Any:
    """A shape of the SDK's, in the members and forms of /v1."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return [document(each) for each in value]
    if not dataclasses.is_dataclass(value):
        return value
    return {each.name: document(getattr(value, each.name)) for each in dataclasses.fields(value)}


def as_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def as_json_line(value: Any) -> None:
    click.echo(json.dumps(value))


def pretty(value: Any) -> None:
    """A result of a run, for people and programs: text as it is, all else as JSON."""
    if isinstance(value, str):
        say(value)
    else:
        say(json.dumps(value, indent=2, ensure_ascii=False))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], nothing: str = "") -> None:
    """A table on a terminal, tab-separated lines in a pipe. `nothing` is said of no rows."""
    cells = [[NONE if each is None else plain(each) for each in row] for row in rows]
    if not sys.stdout.isatty():
        for row in ([str(each) for each in head], *cells):
            click.echo("\t".join(row))
        return
    if not cells:
        note(nothing)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for name in head:
        drawn.add_column(name, no_wrap=name in _NEVER_CUT, overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(each, style=_STYLES.get(each, "")) for each in row))
    Console().print(drawn)


_STYLES = {
    "succeeded": "green",
    "active": "green",
    "failed": "red",
    "revoked": "red",
    "expired": "yellow",
    "cancelled": "yellow",
    "running": "cyan",
    "ok": "green",
}


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """One thing, a line for each of its members."""
    rows = [(label, NONE if value is None else plain(value)) for label, value in pairs]
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        click.echo(f"{click.style(label.ljust(width), bold=True)}  {value}")


def moment(instant: datetime | None, never: str = NONE) -> str:
    """As the server's own commands print it, to the minute."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%MZ}" if instant else never


def in_days(instant: datetime, now: datetime) -> str:
    """`in 3 days`, `today`, `2 days ago`."""
    days = (instant - now).days
    if instant < now:
        return "expired"
    if days == 0:
        hours = int((instant - now).total_seconds() // 3600)
        return f"in {hours} hours" if hours > 1 else "within the hour" if hours < 1 else "in 1 hour"
    return f"in {days} days" if days > 1 else "in 1 day"
