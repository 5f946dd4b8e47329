"""docs/cli.md says what the command does."""

import re

import click

from compass.cli.app import compass
from compass.cli.failures import ExitCode
from tests.cli.conftest import Cli
from tests.cli.guide import GUIDE, with_help


def test_the_guide_has_the_help_of_every_command() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert text == with_help(text), "Run: python -m tests.cli.guide"


def test_the_guide_has_every_exit_code() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for code in set(ExitCode) - {ExitCode.PIPE_CLOSED}:
        assert f"\n| {code.value} | " in text, code


def test_every_line_in_the_guide_that_calls_compass_is_one_that_it_takes(cli: Cli) -> None:
    """Parsed, not carried out."""
    text = GUIDE.read_text(encoding="utf-8").partition("## All commands")[0]
    called = re.findall(r"(?:^|- |run: |entry: |exec )(compass [a-z][^|\n]*)", text, re.MULTILINE)
    assert len(called) >= 8
    for line in called:
        words = re.sub(r"\$\(.*?\)|\"", "x", line).split()[1:]
        command: click.Command = compass
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        command.make_context("compass", words)


def test_no_help_is_longer_than_its_line(cli: Cli) -> None:
    for arguments in ((), ("run",), ("connections", "create"), ("keys",), ("runs",)):
        shown = cli(*arguments, "--help").out
        assert "..." not in shown.partition("Commands:")[2], shown
