"""Writes the part of docs/cli.md that is the commands' own help: python -m tests.cli.guide"""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from compass.cli.app import compass

GUIDE = Path(__file__).parents[2] / "docs/cli.md"
_FROM = "## All commands\n"
_COLUMNS = 92
# Told once, with the command itself.
_EVERYWHERE = re.compile(
    r"\n\nAlso --json.*\Z|\n\nOptions:\n  -h, --help .*(?=\n\n|\Z)|\n  -h, --help .*"
)


def with_help(guide: str) -> str:
    """The guide, with the help of every command after what people wrote."""
    written, found, _ = guide.partition(_FROM)
    assert found, f"{GUIDE} has no {_FROM}"
    return written + _FROM + "".join(_helps(compass, None))


def _helps(command: click.Command, parent: click.Context | None) -> Iterator[str]:
    more = {} if parent else command.context_settings
    context = click.Context(
        command, parent, info_name=command.name, terminal_width=_COLUMNS, **more
    )
    text = command.get_help(context)
    if parent:
        text = _EVERYWHERE.sub("", text)
    yield f"\n### {context.command_path}\n\n```text\n{text}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _helps(command.commands[name], context)


if __name__ == "__main__":
    GUIDE.write_text(with_help(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
