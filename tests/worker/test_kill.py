"""P12: an accepted run is never lost, whatever is killed, and whenever."""

import random
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select

from compass.server.core.run_models import EventType, Run, RunEvent, RunStatus
from compass.server.db import db
from tests.conftest import both
from tests.servers import COMMAND, clean_environment, free_port, wait_until
from tests.target import Target
from tests.work import Work

KILLS = 32
# Asked for and not carried out yet: so much that there is always something under way.
BACKLOG = 40
STEPS = ["one", "two", "three"]


class Fleet:
    """Two workers and a server without one. Whatever ends is started again."""

    def __init__(self, home: Path, env: dict[str, str]):
        self.port, self._home = free_port(), home
        self._log = (home.parent / "fleet.log").open("a")
        self._env = clean_environment(COMPASS_HOME=str(home), **env)
        worker = [sys.executable, "-m", "compass.server.worker", "4"]
        serve = [*COMMAND, "serve", "--no-worker", "--workers", "1", "--port", str(self.port)]
        self._commands = [worker, worker, serve]
        self.processes = [self._start(command) for command in self._commands]
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep)
        self._keeper.start()

    def kill(self, which: int) -> None:
        """A worker, the server, or (3) the process of the server that answers requests."""
        if which < 3:
            self.processes[which].send_signal(signal.SIGKILL)
            return
        parent = self.processes[2].pid
        for child in children(parent):
            subprocess.run(["kill", "-9", str(child)], check=False, stderr=subprocess.DEVNULL)

    def end(self) -> None:
        self._ending.set()
        self._keeper.join()
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(timeout=30)
        self._log.close()
        wait_until(lambda: not self._left_over())

    def _left_over(self) -> list[Path]:
        """Processes that outlived whatever started them."""
        mark = f"COMPASS_HOME={self._home}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            # It may be gone by now.
            with suppress(OSError):
                if mark in (process / "environ").read_bytes():
                    found.append(process)
        return found

    def _keep(self) -> None:
        while not self._ending.wait(0.05):
            for place, process in enumerate(self.processes):
                if process.poll() is not None:
                    self.processes[place] = self._start(self._commands[place])

    def _start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(command, env=self._env, stdout=self._log, stderr=self._log)


def children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(each) for each in found.split()]


class Asker(threading.Thread):
    """Asks for one run after the other, and for the same one again until it gets its 202."""

    def __init__(self, fleet: Fleet, work: Work, may_ask: Callable[[], bool]):
        super().__init__()
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{fleet.port}/v1",
            headers={"Authorization": f"Bearer {work.key}"},
            timeout=30,
        )
        self._may_ask, self.stop = may_ask, threading.Event()
        self.accepted: dict[int, str] = {}

    def run(self) -> None:
        number = 0
        with self._client:
            while not self.stop.is_set():
                if not self._may_ask():
                    self.stop.wait(0.02)
                    continue
                number += 1
                while not (run_id := self._ask(number)) and not self.stop.is_set():
                    self.stop.wait(0.05)
                if run_id:
                    self.accepted[number] = run_id

    def _ask(self, number: int) -> str | None:
        body = {"workflow": "steps", "input": {"number": number}}
        try:
            answer = self._client.post(
                "/runs", json=body, headers={"Idempotency-Key": f"number {number}"}
            )
        except httpx.TransportError:
            return None
        if answer.status_code == 503:
            return None
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])


@both
def test_nothing_that_was_accepted_is_lost(
    work: Work, target: Target, home: Path, env: dict[str, str]
) -> None:
    work.write(
        name="steps",
        input_schema={"type": "object", "required": ["number"]},
        steps=[
            {"name": name, "connection": "target", "method": "GET", "path": f"/{name}",
             "query": {"number": "{{ input.number }}", "slow": "0.02"}}
            for name in STEPS
        ],
        output={"number": "{{ input.number }}"},
    )  # fmt: skip
    chance = random.Random(20261124)
    fleet = Fleet(home, env)
    asker = Asker(
        fleet, work, lambda: len(STEPS) * (len(asker.accepted) - BACKLOG) < len(target.calls)
    )
    try:
        asker.start()
        for _ in range(KILLS):
            seen = len(target.calls) + chance.randint(1, 25)
            wait_until(lambda seen=seen: len(target.calls) >= seen)  # type: ignore[misc]
            fleet.kill(chance.choice([0, 0, 1, 1, 2, 3, 3]))
        asker.stop.set()
        asker.join()
        wait_until(lambda: not unfinished(work))
    finally:
        asker.stop.set()
        fleet.end()
    assert len(asker.accepted) > KILLS
    check_runs(work, asker.accepted)
    check_steps(work, target)
    log = (home.parent / "fleet.log").read_text()
    assert "database is locked" not in log


def unfinished(work: Work) -> bool:
    statuses = (RunStatus.QUEUED, RunStatus.RUNNING)
    return any(work("GET", f"/runs?status={each}&limit=1").json["items"] for each in statuses)


def check_runs(work: Work, accepted: dict[int, str]) -> None:
    """Each ended once, succeeded or failed with a reason, and none was started twice."""
    with work.world.app.app_context():
        runs = {run.id: run for run in db.session.scalars(select(Run))}
        ends = defaultdict(list)
        over = (EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELLED)
        for event in db.session.scalars(select(RunEvent).where(RunEvent.type.in_(over))):
            ends[event.run_id].append(event.type.value)
    numbers = [run.input["number"] for run in runs.values()]
    assert len(numbers) == len(set(numbers))
    for number, run_id in accepted.items():
        run = runs[run_id]
        assert run.input == {"number": number}
        assert ends[run_id] == [run.status.value]
        if run.status is RunStatus.SUCCEEDED:
            assert run.output == {"number": number}
        else:
            assert (run.status, run.error_code) == (RunStatus.FAILED, "worker_lost")
    succeeded = [run for run in runs.values() if run.status is RunStatus.SUCCEEDED]
    assert len(succeeded) > len(runs) * 0.8


def check_steps(work: Work, target: Target) -> None:
    """Of a run each step came at least once, and after the one before had ended."""
    orders: dict[int, list[str]] = defaultdict(list)
    for call in target.calls:
        parts = urlsplit(call.path)
        orders[int(parse_qs(parts.query)["number"][0])].append(parts.path[1:])
    with work.world.app.app_context():
        query = select(Run.input).where(Run.status == RunStatus.SUCCEEDED)
        for input_ in db.session.scalars(query):
            order = [STEPS.index(step) for step in orders[input_["number"]]]
            assert order == sorted(order), order
            assert set(order) == {0, 1, 2}


@pytest.fixture(autouse=True)
def _quick_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process again and again takes longer than a single start."""
    monkeypatch.setattr("tests.servers.START_WITHIN_SECONDS", 120)
