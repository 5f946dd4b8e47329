"""`python -m bench`: measures, then prints one table. A goal that is missed is no failure."""

import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import click

from bench import audit, client, load, pages, requests, run_list, runs, start
from bench.run import Run, say
from bench.table import Figure, table, verdict

_PAGES = ("page", "first-visit")
_NAMES = (*requests.COMPARISONS, *_PAGES, "audit", "runs", "run-list", "start", "client")
_VERSIONS = ("granian", "flask", "django", "django-rest-knox", "djangorestframework-api-key")


@click.command()
@click.option("--quick", is_flag=True, help="About a minute, with 100,000 keys for a million.")
@click.option("--only", type=click.Choice(_NAMES), help="One figure.")
def main(quick: bool, only: str | None) -> None:
    """Measures Compass beside bare Flask, django-rest-knox and djangorestframework-api-key."""
    names = [only] if only else list(_NAMES)
    if any(name in requests.COMPARISONS or name == "runs" for name in names):
        load.require_wrk()
    with tempfile.TemporaryDirectory(prefix="compass-bench-") as folder:
        run = (Run.quick if quick else Run.full)(Path(folder))
        figures = _measure(run, names)
    say("Done.")
    click.echo(f"\n{_machine()}\n\n{table(figures)}\n\n{verdict(figures)}")


def _measure(run: Run, names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    if compared := [name for name in names if name in requests.COMPARISONS]:
        figures += requests.measure(run, compared)
    if shown := [name for name in names if name in _PAGES]:
        figures += pages.measure(run, shown)
    if "audit" in names:
        figures += audit.measure(run)
    if "runs" in names:
        figures += runs.measure(run)
    if "run-list" in names:
        figures += run_list.measure(run)
    if "start" in names:
        figures += start.measure(run)
    if "client" in names:
        figures += client.measure(run)
    return figures


def _machine() -> str:
    """What the figures depend on besides the code."""
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {versions}"


if __name__ == "__main__":
    main()
