"""PostgreSQL as a connection's target: a session of one's own, guarded and on the clock."""

import math
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.rows import TupleRow

from compass.server.core.addresses import resolve
from compass.server.core.sql_values import ADAPTERS
from compass.server.core.step_error import Deadline

Result = TypeVar("Result")


class Session(psycopg.Connection[TupleRow]):
    """Whatever waits for the server waits until the deadline at the latest."""

    deadline: Deadline

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        return super().wait(_until(gen, self.deadline), *args, **kwargs)


@contextmanager
def connected(
    config: dict[str, Any], credentials: dict[str, Any], deadline: Deadline
) -> Iterator[Session]:
    """A session in a transaction, committed at the end.

    Raises TimeoutError, psycopg.Error, UnreachableError.
    """
    with closing(_connect(config, credentials, deadline)) as session, session:
        try:
            yield session
        except BaseException:
            # The server takes back what was done. One that is silent isn't asked to, nor one that
            # has too much to say.
            session.close()
            raise


def first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _connect(config: dict[str, Any], credentials: dict[str, Any], deadline: Deadline) -> Session:
    """Of the machine's own settings and files nothing is used."""
    addresses = resolve(config["host"], config["port"], deadline)
    while True:
        address = addresses.pop(0)
        seconds = deadline.left() / (len(addresses) + 1)
        try:
            session = Session.connect(
                host=config["host"],
                hostaddr=address,
                port=config["port"],
                dbname=config["database"],
                user=config["user"],
                password=credentials["password"],
                sslmode=config["sslmode"],
                passfile="/dev/null",
                gssencmode="disable",
                client_encoding="utf8",
                application_name="compass",
                connect_timeout=math.ceil(seconds),
                context=ADAPTERS,
            )
        except psycopg.errors.ConnectionTimeout:
            if not addresses:
                raise TimeoutError from None
        except psycopg.OperationalError:
            if not addresses:
                raise
        else:
            session.deadline = deadline
            return session


def _until(waiting: Generator[Any, Any, Result], deadline: Deadline) -> Generator[Any, Any, Result]:
    """Waits for the same, and looks at the clock each time that psycopg wakes it: every 0.1 s."""
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            deadline.left()
            wanted = waiting.send(ready)
    except StopIteration as end:
        result: Result = end.value
        return result
