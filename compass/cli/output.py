"""What is printed: tables for people, lines for pipes, JSON for programs.

Names and answers come from elsewhere; nothing in them may move the cursor, colour the terminal
or pass for a line of ours.
"""

import dataclasses
import json
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import click

NONE = "–"

# Columns that may be broken over lines. An id that is cut off is of no use to the next command.
_FOLDED = {"name", "owner", "workflow", "started by", "address", "check", "steps"}
# With so many columns of characters there is room for all that a table has.
_WIDE = 120
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
    """The result, on standard output; folded where that is a terminal."""
    text = plain(text)
    click.echo(folded(text, columns()) if on_terminal(sys.stdout) else text)


def line(text: str) -> None:
    """A result that is kept in one line, for whoever copies it."""
    click.echo(plain(text))


def heading(text: str) -> None:
    click.echo(click.style(f"\n{text}", bold=True))


def note(text: str) -> None:
    """Beside the result, on standard error; folded where that is a terminal."""
    text = plain(text, keep="\n")
    if on_terminal(sys.stderr):
        text = "\n".join(folded(line, columns()) for line in text.split("\n"))
    # Where nobody reads remarks any longer, the result matters all the more.
    with suppress(OSError):
        click.echo(text, err=True)


def folded(text: str, width: int, indent: str = "") -> str:
    """In lines of at most `width`, broken between words alone: some of them get copied."""
    return textwrap.fill(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def columns() -> int:
    return min(shutil.get_terminal_size().columns, 100)


def document(value: Any) -> Any:
    """A shape of the SDK's, in the members and forms of /v1."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
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
    """A result of a run, for people and programs: text as it is, all else as JSON.

    A file or a pipe gets every character; a terminal gets none that it would obey.
    """
    if not isinstance(value, str):
        text = json.dumps(value, indent=2, ensure_ascii=False)
        # Written out, they are the same to whoever parses it.
        click.echo("".join(_escaped(char) if char != "\n" else char for char in text))
    elif on_terminal(sys.stdout):
        click.echo(plain(value, keep="\n\t"))
    else:
        # Or click takes colours out, which may be what the text is about.
        click.echo(value, color=True)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if _is_obeyed(char) else char


def on_terminal(stream: TextIO | None) -> bool:
    """Python has None in the place of a stream that was closed before it began."""
    return stream is not None and stream.isatty()


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    nothing: str = "",
    spare: Collection[str] = (),
) -> None:
    """A table on a terminal, tab-separated lines in a pipe. `nothing` is said of no rows, and
    columns in `spare` are left out where there is little room."""
    found = list(rows)
    if not on_terminal(sys.stdout):
        for row in (head, *found):
            click.echo("\t".join(_cell(each) for each in row))
    elif not found:
        note(nothing)
    else:
        _draw(head, found, spare)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    return NONE if value is None else plain(value)


def _draw(head: Sequence[str], rows: Sequence[Sequence[object]], spare: Collection[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, now = Console(), datetime.now(UTC)
    shown = [n for n, name in enumerate(head) if console.width >= _WIDE or name not in spare]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for n in shown:
        table.add_column(head[n], no_wrap=head[n] not in _FOLDED, overflow="fold")
    for row in rows:
        cells = (row[n] for n in shown)
        texts = (ago(each, now) if isinstance(each, datetime) else _cell(each) for each in cells)
        table.add_row(*(Text(each, style=_STYLES.get(each, "")) for each in texts))
    console.print(table)


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
        line = f"{label.ljust(width)}  {value}".rstrip()
        if on_terminal(sys.stdout):
            line = folded(line, columns(), " " * (width + 2))
        click.echo(click.style(label, bold=True) + line.removeprefix(label))


def moment(instant: datetime | None, never: str = NONE) -> str:
    """As the server's own commands print it, to the minute."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%MZ}" if instant else never


def ago(instant: datetime, now: datetime) -> str:
    """`3 h ago`, `in 4 d`: short enough for a table."""
    seconds = (now - instant).total_seconds()
    size, unit = next((each for each in _UNITS if abs(seconds) >= each[0]), _UNITS[-1])
    if abs(seconds) < 1:
        return "now"
    about = f"{int(abs(seconds) // size)} {unit}"
    return f"{about} ago" if seconds >= 0 else f"in {about}"


_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def left(instant: datetime, now: datetime) -> str:
    """`in 3 days`, `in 1 hour`, `within the hour`."""
    hours = int((instant - now).total_seconds() // 3600)
    if hours < 1:
        return "within the hour" if instant > now else "passed"
    number, unit = (hours // 24, "day") if hours >= 48 else (hours, "hour")
    return f"in {number} {unit}" if number == 1 else f"in {number} {unit}s"
