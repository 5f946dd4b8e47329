"""The database: one engine for SQLite and PostgreSQL, and the ways to write.

`transaction()` is how a door changes something: everything in it commits together or not
at all; `writing()` is the same for workers. `brief()` is for facts of use (last used, last
seen), which are written on the side and rather not at all than late.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import orjson
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    Connection,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    Text,
    event,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import DeclarativeBase, Session, registry
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeDecorator

from compass.server.config import Settings

BUSY_TIMEOUT_MS = 10_000
_BETWEEN_TRIES_SECONDS = 0.0005

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, from both databases (SQLite keeps no time zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """SQLite's text is read in one go: a list of keys has hundreds of times."""
        if dialect.name == "sqlite":
            return _read_sqlite
        return super().result_processor(dialect, coltype)


def _read_sqlite(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


class JsonText(TypeDecorator[Any]):
    """Any JSON, as text. In a column that is called JSON, SQLite takes what looks like a number
    for one, and large ones lose their last digits. None is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class Base(DeclarativeBase):
    registry = registry(
        metadata=MetaData(naming_convention=NAMING),
        type_annotation_map={datetime: UTCDateTime(), str: String()},
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


def engine_options(settings: Settings) -> dict[str, Any]:
    """A PostgreSQL that is away is noticed, soon and before a statement is lost to it.

    What a statement was given (hashes, addresses) is in no error, and so in no log.
    """
    shared = {
        "hide_parameters": True,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
    if settings.is_sqlite:
        return shared
    return {**shared, "pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}


@event.listens_for(Engine, "connect")
def _prepare_connection(connection: Any, _record: object) -> None:
    if not _is_sqlite(connection):
        return
    # Transactions are begun by _begin below, not by the driver's own guesses.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "foreign_keys = ON",
        # What was answered is on the disk: a revoked key stays revoked after a power cut.
        "synchronous = FULL",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        # Read in place, so that a million keys are found as fast as a thousand are.
        f"mmap_size = {1 << 30}",
    ):
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    """A writer takes SQLite's lock at once: upgrading a read to a write can fail half-way."""
    if connection.dialect.name == "sqlite":
        if connection.get_execution_options().get("writes", False):
            _begin_to_write(connection)
        else:
            connection.exec_driver_sql("BEGIN")


def _begin_to_write(connection: Connection) -> None:
    """SQLite would sleep for longer and longer between its tries, up to a tenth of a second, where
    nearly every writer is done within one or two milliseconds."""
    driver: Any = connection.connection.driver_connection
    deadline = monotonic() + BUSY_TIMEOUT_MS / 1000
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while monotonic() < deadline:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                sleep(_BETWEEN_TRIES_SECONDS)
            else:
                return
        # As ever, with its error as ever.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _is_sqlite(connection: Any) -> bool:
    return type(connection).__module__.startswith("sqlite3")


@contextmanager
def transaction() -> Iterator[Session]:
    """A write transaction. What was read before it is read again inside it."""
    session: Session = db.session()
    session.rollback()
    session.connection(execution_options={"writes": True})
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


_one_writer = Lock()


@contextmanager
def writing() -> Iterator[Connection]:
    """A write transaction without a session: for who writes often and knows the statements.

    On SQLite the threads of a process take turns here: waiting for one another in the database they
    would sleep, each time for longer.
    """
    turn = _one_writer if db.engine.dialect.name == "sqlite" else nullcontext()
    with turn, db.engine.connect() as connection:
        connection.execution_options(writes=True)
        with connection.begin():
            yield connection


@contextmanager
def brief() -> Iterator[Connection]:
    """A small write of its own that gives up at once if it would have to wait.

    Swallows the database's refusal: what is written here is never worth a request.
    """
    try:
        with db.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            sqlite = connection.dialect.name == "sqlite"
            if sqlite:
                # Nor is it worth waiting for the disk: a power cut may take it back.
                driver.execute("PRAGMA busy_timeout = 0")
                driver.execute("PRAGMA synchronous = NORMAL")
            else:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
            try:
                yield connection
                connection.commit()
            finally:
                if sqlite:
                    connection.rollback()
                    driver.execute("PRAGMA synchronous = FULL")
                    driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    except DBAPIError:
        pass


class LookUp:
    """A statement that finds at most one row: for the question that every request asks.

    It is compiled once, and put to the driver on a connection that is kept for such questions,
    each in a transaction of its own. Session, pool, cache key and BEGIN together would cost more
    than all the rest of such a request, and on PostgreSQL three more round trips.
    """

    def __init__(self, statement: Any):
        self._statement = statement
        self._row: Any = namedtuple("Row", statement.selected_columns.keys())  # type: ignore[misc]
        self._lines: WeakKeyDictionary[Engine, _Line] = WeakKeyDictionary()

    def __call__(self, **parameters: str) -> Any | None:
        """The row, its values as the columns' types have them. Raises DBAPIError."""
        engine = db.engine
        line = self._lines.get(engine)
        if line is None:
            line = self._lines.setdefault(engine, _Line(engine, self._statement))
        found = line.ask(engine, parameters)
        return None if found is None else self._row._make(found)


class _Line:
    """A statement's way to one database."""

    def __init__(self, engine: Engine, statement: Any):
        dialect = engine.dialect
        compiled = statement.compile(dialect=dialect)
        processors = [
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in statement.selected_columns
        ]
        self._sql = str(compiled)
        self._order = compiled.positiontup
        self._processors = [(place, each) for place, each in enumerate(processors) if each]
        # Taking from and adding to it are atomic: no lock is needed.
        self._idle: list[Any] = []
        event.listen(engine, "engine_disposed", self._close, named=True)

    def ask(self, engine: Engine, parameters: dict[str, str]) -> list[Any] | None:
        """The row as a list. One more try where the database hung up meanwhile."""
        arguments = [parameters[name] for name in self._order] if self._order else parameters
        driver = engine.dialect.loaded_dbapi
        try:
            try:
                found = self._fetch(self._idle.pop(), arguments)
            except (IndexError, driver.OperationalError):
                found = self._fetch(_dedicated(engine), arguments)
        except driver.Error as error:
            raise DBAPIError.instance(
                self._sql, (), error, driver.Error, hide_parameters=True
            ) from None
        if found is None:
            return None
        row = list(found)
        for place, process in self._processors:
            if row[place] is not None:
                row[place] = process(row[place])
        return row

    def _fetch(self, connection: Any, arguments: Any) -> Any:
        """A connection that failed is not used again."""
        try:
            found = connection.execute(self._sql, arguments).fetchone()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return found

    def _close(self, **_: Any) -> None:
        while self._idle:
            self._idle.pop().close()


def _dedicated(engine: Engine) -> Any:
    """A driver connection of one's own, on which each statement is a transaction."""
    pooled = engine.raw_connection()
    connection: Any = pooled.driver_connection
    pooled.detach()
    if engine.dialect.name == "postgresql":
        connection.autocommit = True
    return connection


def changed(statement: UpdateBase) -> int:
    """Executes it and says how many rows it changed: how what can be had once is claimed."""
    options = {"synchronize_session": False}
    result = db.session().execute(statement, execution_options=options)
    return cast(CursorResult[Any], result).rowcount


def serialise(session: Session, what: str) -> None:
    """Until the transaction ends, no other one passes this point for the same `what`.

    For rules over many rows, such as "there is always an administrator". SQLite's write
    transactions already come one after the other.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext(:what))"), {"what": f"compass:{what}"}
        )


def is_duplicate(error: IntegrityError) -> bool:
    """Whether a unique index, rather than another constraint, refused the row."""
    # By PostgreSQL's code, since its words are translated; SQLite has words alone.
    return getattr(error.orig, "sqlstate", None) == "23505" or "UNIQUE" in str(error.orig)


def points_nowhere(error: IntegrityError) -> bool:
    """Whether a foreign key refused the row: what it points at was deleted meanwhile."""
    return getattr(error.orig, "sqlstate", None) == "23503" or "FOREIGN KEY" in str(error.orig)
