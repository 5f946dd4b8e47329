"""What every command has: the options for the key, the address and the form of the answer, taken
before and after the command's name; and the way from an error to a sentence and an exit code."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from compass.cli import failures
from compass.cli.failures import ExitCode

_META = "compass.cli.choices"


@dataclass
class Choices:
    """What was chosen on the command line, wherever on it."""

    api_key: str = ""
    api_key_file: str = ""
    base_url: str = ""
    profile: str = ""
    json: bool = False
    debug: bool = False

    def __repr__(self) -> str:
        return "Choices(…)"


def choices() -> Choices:
    found: Choices = click.get_current_context().meta.setdefault(_META, Choices())
    return found


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    """The nearest to the end wins, as everywhere on a command line."""
    if isinstance(value, str) and not value.strip():
        # Of a variable that was forgotten: another source must not step in for it.
        raise click.UsageError(f"{option.opts[0]} is empty.")
    if value:
        setattr(context.meta.setdefault(_META, Choices()), str(option.name), value)


def _shared() -> list[click.Option]:
    """The options that every command takes."""

    def option(*names: str, help: str, **more: Any) -> click.Option:  # noqa: A002
        return click.Option(names, expose_value=False, callback=_remember, help=help, **more)

    return [
        option("--json", is_flag=True, help="Print JSON, for programs."),
        option("--profile", metavar="NAME", help="A key that `compass login --profile` stored."),
        option("--base-url", metavar="URL", help="Where Compass is."),
        option("--api-key-file", metavar="FILE", help="Read the key from a file; - is standard "
               "input."),
        option("--api-key", metavar="KEY", help="The key itself. It stays in your shell's history "
               "and everyone on this machine can see it: prefer a variable or a file."),
        option("--debug", is_flag=True, help="Show each request and answer on standard error, "
               "secrets masked."),
    ]  # fmt: skip


_SHARED = [name for option in _shared() for name in option.opts]


class Command(click.Command):
    """Its help shows its own options; those of every command are told by `compass --help`."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.params += _shared()

    def own_options(self, context: click.Context) -> list[tuple[str, str]]:
        given = [each for each in self.get_params(context) if isinstance(each, click.Option)]
        own = [each for each in given if each.opts[0] not in _SHARED]
        return [record for each in own if (record := each.get_help_record(context))]

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        if own := self.own_options(context):
            with formatter.section("Options"):
                formatter.write_dl(own)
        if context.parent is None:
            shared = [each.get_help_record(context) for each in _shared()]
            with formatter.section("Options of every command"):
                formatter.write_dl([record for record in shared if record])
        elif not isinstance(self, click.Group):
            formatter.write_paragraph()
            formatter.write_text(f"Also {', '.join(_SHARED)}: see compass --help.")


class Group(Command, click.Group):
    command_class = Command
    group_class = type

    def list_commands(self, context: click.Context) -> list[str]:
        """In the order in which they are met, not the alphabet's."""
        return list(self.commands)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(context, formatter)
        self.format_commands(context, formatter)


@contextmanager
def _masked() -> Iterator[None]:
    """What is wrong with a command line is quoted, and people paste keys into the wrong place."""
    try:
        yield
    except click.UsageError as error:
        said = error.format_message()
        if failures.masked(said) == said:
            raise
        raise click.UsageError(failures.masked(said), error.ctx) from None


class Root(Group):
    """`compass` itself: whatever a command raises becomes one sentence and an exit code here."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _masked():
            return super().make_context(*args, **more)

    def invoke(self, context: click.Context) -> Any:
        # https://no-color.org; rich knows it by itself.
        if os.environ.get("NO_COLOR"):
            context.color = False
        # What a name in an encoding of its own can't be written in is no reason to stop.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            with _masked():
                return super().invoke(context)
        except (click.exceptions.Exit, click.ClickException):
            raise
        except (KeyboardInterrupt, click.Abort):
            click.echo(err=True)
            context.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            # Whoever read has enough: `compass runs list | head -1`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            context.exit(ExitCode.PIPE_CLOSED)
        except Exception as error:
            failure = failures.of(error, choices().debug)
            failure.show()
            context.exit(failure.code)
