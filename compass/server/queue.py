"""How workers hear of runs at once: a Huey queue that carries ids and nothing else.

It is a wake-up, not the truth: a job that a killed worker had taken is gone, and so may the whole
queue be. The `runs` table has the runs, and each worker's sweep finds what no wake-up reached.
"""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import orjson
import psycopg
from flask import Flask, current_app
from huey import Huey
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import PostgresStorage, SqliteStorage

from compass.server.config import Settings

log = logging.getLogger("compass.server")

FILE = "queue.db"
TABLES = "compass_queue"
# On the way of a request: a queue that is locked for longer is left to the sweep.
_WAIT_SECONDS = 1

CarryOut = Callable[[str], None]


class Ids(Serializer):  # type: ignore[misc]
    """The name of a task and the id that it is about, as JSON: what is read from a queue can make
    nothing run but that, where the library's own pickles could run anything."""

    def _serialize(self, data: Message) -> bytes:
        return orjson.dumps([data.id, data.name, data.args])

    def _deserialize(self, data: bytes) -> Message:
        id_, name, arguments = orjson.loads(bytes(data))
        return Message(id_, name, retries=0, retry_delay=0, args=tuple(arguments), kwargs={})


class _Mending:
    """A queue that was deleted, emptied or damaged is made anew."""

    errors: tuple[type[Exception], ...]

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        try:
            super().enqueue(data, priority)  # type: ignore[misc]
        except self.errors:
            self.mend()
            super().enqueue(data, priority)  # type: ignore[misc]

    def dequeue(self) -> bytes | None:
        try:
            data: bytes | None = super().dequeue()  # type: ignore[misc]
        except self.errors:
            self.mend()
            return None
        return data

    def mend(self) -> None:
        raise NotImplementedError


class _SqliteQueue(_Mending, SqliteStorage):  # type: ignore[misc]
    errors = (sqlite3.DatabaseError,)
    _conn: Any
    _opened: tuple[int, int] | None = None

    @property
    def conn(self) -> Any:
        """Of the file that is there now: it may have been deleted under an open connection."""
        there = _identity(self.filename)
        if self._conn is not None and there != self._opened:
            self._conn.close()
            self._conn = None
        if self._conn is None:
            made_anew = not Path(self.filename).exists()
            self._conn = self._create_connection()
            if made_anew:
                for statement in self.ddl:
                    self._conn.execute(statement)
            self._opened = _identity(self.filename)
        return self._conn

    def mend(self) -> None:
        with self.lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None
        try:
            self.initialize_schema()
        except sqlite3.OperationalError:
            # Locked, or no room: neither is mended by throwing it away.
            raise
        except sqlite3.DatabaseError:
            log.warning("The queue's file is damaged. It is made anew; no run is lost.")
            for ending in ("", "-wal", "-shm"):
                Path(f"{self.filename}{ending}").unlink(missing_ok=True)
            self.initialize_schema()


class _PostgresQueue(_Mending, PostgresStorage):  # type: ignore[misc]
    errors = (psycopg.Error,)

    def mend(self) -> None:
        self.close()
        self.initialize_schema()


class Queue:
    """Of one application. `carry_out` is what a worker does with an id."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._lock = Lock()
        self._huey: Huey | None = None
        self._task: Any = None
        self.carry_out: CarryOut | None = None

    @property
    def huey(self) -> Huey:
        """Opened when it is first needed: most commands never do."""
        with self._lock:
            if self._huey is None:
                self._huey = _open(self._settings)
                self._task = self._huey.task(name="run")(self._run)
        return self._huey

    def wake(self, run_id: str) -> None:
        """Tells a worker. A failure is none of the caller's: the sweep finds the run."""
        try:
            huey = self.huey
            huey.enqueue(self._task.s(run_id))
        except (sqlite3.Error, psycopg.Error, OSError) as error:
            log.warning("The queue can't be used (%s): runs start later.", type(error).__name__)

    def close(self) -> None:
        if self._huey is not None:
            with suppress(sqlite3.Error, psycopg.Error):
                self._huey.storage.close()

    def _run(self, run_id: str) -> None:
        assert self.carry_out is not None  # noqa: S101 (for the type checker: workers set it)
        self.carry_out(run_id)


def init_app(app: Flask) -> None:
    app.extensions["compass-queue"] = Queue(app.config["COMPASS"])


def of_app() -> Queue:
    """The queue of the running application."""
    queue: Queue = current_app.extensions["compass-queue"]
    return queue


def wake(run_id: str) -> None:
    """For a run that was committed."""
    of_app().wake(run_id)


def _open(settings: Settings) -> Huey:
    # Tables are made where they are found missing: several processes at once would collide.
    shared = {"serializer": Ids(), "results": False, "create_tables": False}
    if settings.is_sqlite:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Huey(
            "compass",
            storage_class=_SqliteQueue,
            filename=str(settings.home / FILE),
            fsync=False,
            cache_mb=0,
            timeout=_WAIT_SECONDS,
            **shared,
        )
    url = settings.database_url.set(drivername="postgresql")
    return Huey(
        "compass",
        storage_class=_PostgresQueue,
        dsn=url.render_as_string(hide_password=False),
        table_prefix=TABLES,
        connect_timeout=5,
        **shared,
    )


def _identity(file: str) -> tuple[int, int] | None:
    try:
        found = Path(file).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
