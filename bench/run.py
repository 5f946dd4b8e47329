"""How long a run is, where it works, and what it says meanwhile."""

import time
from dataclasses import dataclass
from pathlib import Path

import click

_STARTED = time.monotonic()


@dataclass(frozen=True)
class Run:
    """Lengths in seconds, the rest are counts. `folder` is removed at the end."""

    folder: Path
    rounds: int
    seconds: int
    warm_up_seconds: int
    pages: int
    starts: int
    many_keys: int
    events: int
    dispatches: int
    stream_seconds: int
    rest_seconds: int
    many_runs: int

    @classmethod
    def full(cls, folder: Path) -> "Run":
        return cls(
            folder,
            rounds=7,
            seconds=4,
            warm_up_seconds=1,
            pages=40,
            starts=5,
            many_keys=1_000_000,
            events=1_000_000,
            dispatches=200,
            stream_seconds=60,
            rest_seconds=20,
            many_runs=100_000,
        )

    @classmethod
    def quick(cls, folder: Path) -> "Run":
        """About a minute: a look, not a figure to quote. A million keys take too long to make."""
        return cls(
            folder,
            rounds=3,
            seconds=2,
            warm_up_seconds=1,
            pages=30,
            starts=3,
            many_keys=100_000,
            events=100_000,
            dispatches=50,
            stream_seconds=12,
            rest_seconds=5,
            many_runs=100_000,
        )


def say(sentence: str) -> None:
    """Progress, apart from the table: on standard error, with the seconds since the start."""
    click.echo(f"{time.monotonic() - _STARTED:5.0f} s  {sentence}", err=True)
