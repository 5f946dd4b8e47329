"""The command `compass`: what it consists of."""

import click

from compass.cli.account import login, logout, whoami
from compass.cli.api_keys import keys
from compass.cli.command import Root
from compass.cli.completion import completion
from compass.cli.connections import connections
from compass.cli.doctor import doctor
from compass.cli.run import run
from compass.cli.runs import runs
from compass.cli.scan import scan
from compass.cli.workflows import workflows

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Root, context_settings=_SETTINGS)
@click.version_option(package_name="compass-keys", message="compass %(version)s")
def compass() -> None:
    """Run workflows and manage what a Compass key may, from the command line.

    The key and the address come from a flag, from COMPASS_API_KEY and COMPASS_BASE_URL, or from
    what `compass login` stored; the first that is there wins, and `compass whoami` says which one
    did.

    \b
    Exit codes: 0 done · 1 the run failed or was cancelled, or `scan` found a key · 2 usage ·
    3 no key · 4 key refused · 5 not allowed · 6 unreachable · 7 not found · 8 anything else
    """


for command in (
    login, logout, whoami, doctor, run, runs, workflows, connections, keys, scan, completion,
):  # fmt: skip
    compass.add_command(command)
