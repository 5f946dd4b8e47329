"""`compass scan`: keys that lie where they should not."""

import os
import sys
from collections.abc import Iterator

import click

from compass.cli import output
from compass.cli.command import Command, choices
from compass.cli.failures import ExitCode
from compass.cli.finder import Finding, NotARepository, Scan


@click.command(cls=Command)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path())
@click.option("--staged", is_flag=True, help="Look at what git would commit next, of PATH or all.")
def scan(paths: tuple[str, ...], staged: bool) -> None:
    """Find keys in files, offline.

    A key is what has the pattern and the right checksum; only its hint is printed. One in the
    name of a file or folder is found too. Links are not followed, and .git is left out. PATH may
    be - for standard input. A line that says `compass-scan: allow` is passed over: for keys in
    tests and guides, which open nothing.

    Exits with 1 if it finds any. To look before each commit, in .git/hooks/pre-commit:

    \b
      #!/bin/sh
      exec compass scan --staged
    """
    if not paths and not staged:
        raise click.UsageError("Name a file or folder (. is this one), or give --staged.")
    for path in () if staged else paths:
        if path != "-" and not os.path.lexists(path):
            raise click.UsageError(f"There is no {output.plain(path)}.")
    looked = Scan()
    try:
        found = list(_told(_findings(looked, paths, staged)))
    except NotARepository as error:
        raise click.UsageError(str(error)) from None
    if choices().json:
        findings = [vars(finding) for finding in found]
        output.as_json(
            {"findings": findings, "files": looked.files, "unreadable": looked.unreadable}
        )
    _conclude(looked, len(found))


def _findings(looked: Scan, paths: tuple[str, ...], staged: bool) -> Iterator[Finding]:
    if staged:
        yield from looked.staged(paths)
        return
    for path in paths:
        if path == "-":
            yield from looked.stream("standard input", sys.stdin.buffer)
        else:
            yield from looked.tree(path)


def _told(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The same, each printed as it is found: a big tree takes a while."""
    for finding in findings:
        if not choices().json:
            where = f":{finding.line}: {finding.hint}" if finding.line else ": it is in the name"
            output.line(f"{finding.path}{where}")
        yield finding


def _conclude(looked: Scan, found: int) -> None:
    for path in looked.unreadable:
        output.note(f"{output.plain(path)} can't be read, and was not looked at.")
    if found:
        output.note(
            f"Found {_counted(found, 'key')} in {_counted(looked.files, 'file')}. "
            "Revoke first what others could read, then take it out."
        )
        click.get_current_context().exit(ExitCode.FOUND)
    if looked.unreadable:
        click.get_current_context().exit(ExitCode.OTHER)
    output.note(f"No keys in {_counted(looked.files, 'file')}.")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
