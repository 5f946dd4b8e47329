"""What the client's side waits for before it does anything: an import, a command's help."""

import subprocess
import sys
import time
from pathlib import Path

from bench.run import Run, say
from bench.table import Figure, Goal
from tests.servers import clean_environment

_TIMES_AS_MANY = 3
_COMPASS = str(Path(sys.executable).with_name("compass"))

_WAITS = {
    "import compass": ([sys.executable, "-c", "import compass"], Goal(150, below=True)),
    "from compass import Compass": (
        [sys.executable, "-c", "from compass import Compass"],
        Goal(150, below=True),
    ),
    "compass --help": ([_COMPASS, "--help"], Goal(250, below=True)),
    "Python alone": ([sys.executable, "-c", "pass"], None),
}


def measure(run: Run) -> list[Figure]:
    """In turns, each in a process of its own, with what Python itself takes."""
    taken: dict[str, list[float]] = {name: [] for name in _WAITS}
    say("Imports and help.")
    for _ in range(run.starts * _TIMES_AS_MANY):
        for name, (command, _) in _WAITS.items():
            taken[name].append(_milliseconds(command))
    return [Figure(name, "ms", taken[name], goal) for name, (_, goal) in _WAITS.items()]


def _milliseconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=clean_environment(), stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - start) * 1000
