"""Load, by `wrk`: one thread, sixteen connections that stay open, many keys."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click

CONNECTIONS = 16
# With how many different keys the load comes.
LOAD_KEYS = 1000
_SCRIPT = Path(__file__).with_name("keys.lua")


@dataclass(frozen=True)
class Target:
    """What is asked: an address, and a file with an Authorization header's value a line."""

    name: str
    url: str
    headers: Path


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk makes the load and is missing: apt-get install wrk")


def requests_per_second(target: Target, seconds: int) -> float:
    """Raises ClickException for anything but answers of success: it would not be a measure."""
    options = ["--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    done = subprocess.run(
        ["wrk", *options, "--script", str(_SCRIPT), target.url, "--", str(target.headers)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"^measured (\d+) (\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
    if found is None:
        raise click.ClickException(f"wrk failed on {target.name}: {done.stdout}{done.stderr}")
    requests, microseconds, refused, broken = map(int, found.groups())
    if refused or broken or not requests:
        raise click.ClickException(
            f"{target.name}: of {requests} requests {refused} were refused, {broken} broke off"
        )
    return requests / microseconds * 1_000_000
