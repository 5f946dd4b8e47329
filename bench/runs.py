"""Runs: how soon one starts, how many a second, what that costs `/v1/me`, and a worker at rest."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import httpx

from bench import data, servers
from bench.load import Target, requests_per_second
from bench.run import Run, say
from bench.table import Figure, Goal
from tests.servers import COMMAND, clean_environment

# Few, whose use is written once a minute each: /v1/me is to be read, not written.
KEYS = 20
# A little more than is to be reached, at an even pace, whatever the answers do.
ASKED_A_SECOND = 105
_ASKERS = 8
_DONE_WITHIN_SECONDS = 120
_WORKFLOW = {
    "name": "one-step",
    "input_schema": {"type": "object", "properties": {"day": {"type": "string"}}},
    "steps": [{"name": "say", "connection": "target", "method": "GET", "path": "/say"}],
    "output": "{{ steps.say.status }}",
}


@dataclass(frozen=True)
class _Place:
    url: str
    home: Path
    headers: Path
    client: httpx.Client
    log: Path

    @property
    def me(self) -> Target:
        return Target("/v1/me", f"{self.url}/v1/me", self.headers)

    def ask(self, _: int = 0) -> str:
        body = {"workflow": "one-step", "input": {"day": "2026-11-01"}}
        return str(self.client.post("/v1/runs", json=body).raise_for_status().json()["id"])

    def look(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/v1/runs/{run_id}").raise_for_status().json()
        return found

    def read(self, sql: str) -> tuple[float, ...]:
        """Straight from the database, so that asking costs the server nothing."""
        with closing(sqlite3.connect(self.home / "compass.db")) as connection:
            row: tuple[float, ...] = connection.execute(sql).fetchone()
            return row


def measure(run: Run) -> list[Figure]:
    with _place(run) as place:
        place.ask()
        _until_done(place)
        figures = [*_dispatch(place, run), *_stream(place, run), *_at_rest(place, run)]
        locked = place.log.read_text().count("database is locked")
    return [*figures, Figure("`database is locked` in the log", "lines", [locked], Goal(1, True))]


@contextmanager
def _place(run: Run) -> Iterator[_Place]:
    """A server with its worker, one web process, and a target that answers at once."""
    database = data.make(run.folder / "runs", KEYS)
    environment = clean_environment(COMPASS_HOME=str(database.home))
    options = ["--project", "Default", "--name", "Runs", "--role", "admin"]
    key = subprocess.run(
        [*COMMAND, "keys", "create", *options],
        env=environment, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    log = run.folder / "runs.log"
    with (
        _target() as target,
        servers.compass(database.home, log) as url,
        httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30
        ) as client,
    ):
        connection = {
            "name": "target",
            "kind": "http",
            "config": {"base_url": target},
            "credentials": {"auth": "bearer", "token": "of the benchmark"},
        }
        client.post("/v1/connections", json=connection).raise_for_status()
        client.post("/v1/workflows", json=_WORKFLOW).raise_for_status()
        yield _Place(url, database.home, database.headers, client, log)


@contextmanager
def _target() -> Iterator[str]:
    command = [sys.executable, "-m", "bench.target"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _dispatch(place: _Place, run: Run) -> list[Figure]:
    """From accepted to started, as the runs themselves have it; with pauses, so that it is idle."""
    say(f"Starting {run.dispatches} runs one by one.")
    waits = []
    for number in range(run.dispatches):
        run_id = place.ask()
        # Uneven, so that no beat of the worker's own is met again and again.
        time.sleep(0.1 + 0.013 * (number % 11))
        found = place.look(run_id)
        while found["started_at"] is None:
            found = place.look(run_id)
        started, created = (
            datetime.fromisoformat(found[name]) for name in ("started_at", "created_at")
        )
        waits.append((started - created).total_seconds() * 1000)
    waits.sort()
    worst = waits[int(len(waits) * 0.99)]
    return [
        Figure("Dispatch to start, idle: all", "ms", waits),
        Figure("Dispatch to start, idle: 99th percentile", "ms", [worst], Goal(250, below=True)),
    ]


def _stream(place: _Place, run: Run) -> list[Figure]:
    """For as long as it lasts, `/v1/me` is asked as often as it can be, in turns with silence."""
    count = ASKED_A_SECOND * run.stream_seconds
    say(f"Asking for {count:,} runs, {ASKED_A_SECOND} a second; before and after, /v1/me alone.")
    requests_per_second(place.me, run.warm_up_seconds)
    alone = [requests_per_second(place.me, run.seconds)]
    (before,) = place.read("SELECT count(*) FROM runs")
    began = time.time()
    with ThreadPoolExecutor(_ASKERS + 1) as pool:
        turns = run.stream_seconds // (run.seconds + 1)
        meanwhile = pool.submit(
            lambda: [requests_per_second(place.me, run.seconds) for _ in range(turns)]
        )
        asked = []
        for number in range(count):
            pause = began + number / ASKED_A_SECOND - time.time()
            if pause > 0:
                time.sleep(pause)
            asked.append(pool.submit(place.ask))
        for each in asked:
            each.result()
        rates = meanwhile.result()
    _until_done(place)
    done, ended = place.read(
        "SELECT count(*), (julianday(max(finished_at)) - 2440587.5) * 86400 FROM runs "
        "WHERE status = 'succeeded'"
    )
    alone.append(requests_per_second(place.me, run.seconds))
    ratio = [rate / (sum(alone) / len(alone)) for rate in rates]
    sustained = (done - before) / (ended - began)
    return [
        Figure(f"One-step runs, {run.stream_seconds} s", "runs/s", [sustained], Goal(100)),
        Figure("/v1/me alone", "requests/s", alone),
        Figure("/v1/me during the runs / alone", "ratio", ratio, Goal(0.67)),
    ]


def _at_rest(place: _Place, run: Run) -> list[Figure]:
    """The worker for runs when there are none."""
    found = subprocess.run(
        ["pgrep", "-f", "compass.server.worker"], capture_output=True, text=True, check=True
    )
    (worker,) = (pid for pid in found.stdout.split() if _is_of(Path(f"/proc/{pid}"), place.home))
    say(f"Watching the worker rest for {run.rest_seconds} s.")
    time.sleep(2)
    start = _cpu_seconds(worker)
    time.sleep(run.rest_seconds)
    share = (_cpu_seconds(worker) - start) / run.rest_seconds * 100
    memory = int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return [
        Figure("Worker at rest: of a core", "%", [share], Goal(1, below=True)),
        Figure("Worker at rest: memory", "MB", [memory / 1e6], Goal(100, below=True)),
    ]


def _is_of(process: Path, home: Path) -> bool:
    return f"COMPASS_HOME={home}\0".encode() in (process / "environ").read_bytes()


def _cpu_seconds(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _until_done(place: _Place) -> None:
    deadline = time.monotonic() + _DONE_WITHIN_SECONDS
    unfinished = "SELECT count(*) FROM runs WHERE status IN ('queued', 'running')"
    while place.read(unfinished) != (0,):
        if time.monotonic() > deadline:
            raise click.ClickException(f"Runs were not done within {_DONE_WITHIN_SECONDS} s.")
        time.sleep(0.05)
