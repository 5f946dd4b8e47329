"""The page with a project's runs, of which there are a hundred thousand."""

import json
import time
from pathlib import Path

import click
import httpx

from bench import browser, data, servers
from bench.run import Run, say
from bench.table import Figure, Goal
from compass.server.core.clock import now
from compass.server.core.ids import new_id
from compass.server.core.run_list import PAGE_SIZE

KEYS = 20
_WARM_UP = 5
_ROW = 'data-label="When"'
_BATCH = 10_000
_INSERT = (
    "INSERT INTO runs (id, project_id, workflow_id, workflow_name, workflow_version, definition,"
    " input, status, output, attempt, losses, last_seq, starter_type, starter_id, starter_name,"
    " created_at, started_at, finished_at)"
    " VALUES (?, ?, ?, ?, 1, ?, '{}', ?, '1', 1, 0, 5, 'key', 'key', 'CI Pipeline', ?, ?, ?)"
)


def measure(run: Run) -> list[Figure]:
    home = run.folder / "run-list"
    say(f"Making a database of {run.many_runs:,} runs.")
    data.make(home, KEYS)
    project, workflow = _fill(home, run.many_runs)
    path = f"/projects/{project}/runs"
    addresses = {
        "first page": path,
        "failed": f"{path}?status=failed",
        "of one workflow": f"{path}?workflow={workflow}",
    }
    values: dict[str, list[float]] = {name: [] for name in addresses}
    with servers.compass(home) as url, httpx.Client(base_url=url, timeout=30) as client:
        browser.sign_in(client, data.ADMIN, data.PASSWORD)
        say(f"Measuring {len(addresses)} pages, {run.pages} times each.")
        for number in range(_WARM_UP + run.pages):
            for name, address in addresses.items():
                start = time.perf_counter()
                page = client.get(address).raise_for_status().text
                taken = (time.perf_counter() - start) * 1000
                if page.count(_ROW) != PAGE_SIZE:
                    raise click.ClickException(f"{address} has {page.count(_ROW)} runs.")
                if number >= _WARM_UP:
                    values[name].append(taken)
    return [
        Figure(f"Runs page, {run.many_runs:,} runs: {name}", "ms", its, Goal(50, below=True))
        for name, its in values.items()
    ]


def _fill(home: Path, count: int) -> tuple[str, str]:
    """Of ten workflows; each eleventh run failed. The project's id, and a workflow's."""
    definition = json.dumps({"input_schema": None, "steps": [], "output": None})
    workflows = [new_id("wfl") for _ in range(10)]
    with data.filling(home) as connection:
        project: str = connection.execute(
            "SELECT id FROM projects WHERE name = 'Default'"
        ).fetchone()[0]
        for start in range(0, count, _BATCH):
            moment = now().replace(tzinfo=None).isoformat(" ")
            rows = []
            for number in range(start, min(start + _BATCH, count)):
                workflow = number % 10
                status = "succeeded" if number % 11 else "failed"
                rows.append(
                    (new_id("run"), project, workflows[workflow], f"report {workflow}",
                     definition, status, moment, moment, moment)
                )  # fmt: skip
            connection.executemany(_INSERT, rows)
    return project, workflows[0]
