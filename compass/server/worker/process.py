"""The worker process: threads that take runs, and one that keeps leases and sweeps."""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

from flask import Flask
from huey.consumer import Consumer
from huey.consumer import Worker as HueyWorker
from sqlalchemy.exc import SQLAlchemyError

from compass.server.config import Settings
from compass.server.core import execution
from compass.server.db import writing
from compass.server.queue import Queue
from compass.server.worker import THREADS
from compass.server.worker.carrier import Carrier

log = logging.getLogger("compass.worker")

# How often work is looked for where the queue can't wake anybody: what a run waits for at the most.
POLL_SECONDS = 0.1
RENEW_SECONDS = 3.0
SWEEP_SECONDS = 2.0
RETENTION_SECONDS = 3600.0
# SIGTERM: a step that is under way has this long to end. The design allows 10 s for all of it.
STOP_WITHIN_SECONDS = 5.0


def work(app: Flask, threads: int, parent: int | None = None) -> None:
    """Until SIGTERM or SIGINT, or until `parent` is not our parent any more."""
    queue: Queue = app.extensions["compass-queue"]
    carrier = Carrier(app)
    queue.carry_out = carrier.carry_out
    stop = Event()
    swept: SimpleQueue[str] = SimpleQueue()
    logging.getLogger("huey").setLevel(logging.ERROR)
    consumer = _Consumer(queue.huey, threads, swept, carrier)
    consumer.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keeper = Thread(target=_keep, args=(app, carrier, swept, stop), name="keeper", daemon=True)
    keeper.start()
    while not stop.wait(1):
        consumer.check_worker_health()
        if parent is not None and os.getppid() != parent:
            stop.set()
    _stop(consumer, carrier)


def _stop(consumer: "_Consumer", carrier: Carrier) -> None:
    """Steps that are under way may end; what takes longer is given back as it is."""
    carrier.stopping.set()
    consumer.stop_flag.set()
    deadline = time.monotonic() + STOP_WITHIN_SECONDS
    for _, thread in consumer.worker_threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    carrier.hand_back_all()
    logging.shutdown()
    # Threads that are still in a step would keep an ordinary exit waiting.
    os._exit(0)


class _Consumer(Consumer):  # type: ignore[misc]
    """Huey's, whose idle threads don't all ask for work: one does, and when it has found some it
    lets the next one ask."""

    def __init__(self, huey: Any, threads: int, swept: "SimpleQueue[str]", carrier: Carrier):
        self.swept, self.carrier, self.turn = swept, carrier, Lock()
        super().__init__(huey, workers=threads, periodic=False, scheduler_interval=60)

    def _create_worker(self) -> "_Worker":
        return _Worker(self)


class _Worker(HueyWorker):  # type: ignore[misc]
    def __init__(self, consumer: _Consumer):
        super().__init__(consumer.huey, consumer.stop_flag, POLL_SECONDS, POLL_SECONDS, 1)
        self._consumer = consumer

    def loop(self, now: Any = None) -> None:
        try:
            with self._consumer.turn:
                found = self._next()
            if found is not None:
                found()
        except Exception as error:
            # The run's lease ends by itself; the queue is mended, or swept for, by others.
            log.warning("A worker thread failed: %s: %s", type(error).__name__, error)
            self.stop_flag.wait(1)

    def _next(self) -> Callable[[], Any] | None:
        """What the sweep has found comes first: it has waited longest, and needs no queue."""
        while not self.stop_flag.is_set():
            with suppress(Empty):
                run_id = self._consumer.swept.get_nowait()
                return lambda: self._consumer.carrier.carry_out(run_id)
            task = self.huey.dequeue()
            if task is not None:
                execute: Callable[[], Any] = task.execute
                return execute
            if not self.huey.storage.blocking:
                self.stop_flag.wait(POLL_SECONDS)
        return None


def _keep(app: Flask, carrier: Carrier, swept: "SimpleQueue[str]", stop: Event) -> None:
    """Renews what is held, sweeps for what nobody tends, and removes what is old.

    Goes on while a stop waits for steps: their leases must not run out.
    """
    settings: Settings = app.config["COMPASS"]
    due = {_renew: 0.0, _sweep: 0.0, _remove: 0.0}
    every = {_renew: RENEW_SECONDS, _sweep: SWEEP_SECONDS, _remove: RETENTION_SECONDS}
    while True:
        for duty, at in due.items():
            if at > time.monotonic():
                continue
            due[duty] = time.monotonic() + every[duty]
            try:
                with app.app_context():
                    duty(carrier, swept, settings)
            except SQLAlchemyError as error:
                log.warning("The database is away: %s", type(error).__name__)
            except Exception:
                log.exception("The keeper failed, and goes on.")
        stop.wait(0.5) if not stop.is_set() else time.sleep(0.5)


def _renew(carrier: Carrier, _swept: "SimpleQueue[str]", _settings: Settings) -> None:
    if not (held := list(carrier.held.values())):
        return
    for claim in held:
        # One that is lost is noticed by the thread that has it, at its next write.
        with suppress(execution.LostError), writing() as connection:
            execution.record(connection, claim, [])


def _sweep(carrier: Carrier, swept: "SimpleQueue[str]", _settings: Settings) -> None:
    if carrier.stopping.is_set() or not swept.empty():
        return
    for run_id in execution.untended(limit=2 * THREADS):
        if run_id not in carrier.held:
            swept.put(run_id)


def _remove(_carrier: Carrier, _swept: "SimpleQueue[str]", settings: Settings) -> None:
    """In small batches, so that nobody waits for long."""
    while True:
        with writing() as connection:
            removed = execution.remove_old(connection, settings.run_retention_days)
        if removed < execution.REMOVED_AT_ONCE:
            return
        time.sleep(0.05)
