"""A sql step: one statement with its parameters bound, in a transaction of its own.

The statement is the workflow's, word for word: values never become SQL. It goes by PostgreSQL's
extended protocol, which takes exactly one, and its rows come one by one, so that never more of them
are held than a result may have.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psycopg
from psycopg import generators
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from compass.server.core import definitions, sql_values, sql_wire
from compass.server.core.expressions import render
from compass.server.core.sql_wire import Session
from compass.server.core.step_error import MOST_BYTES, Deadline, Json, StepError

MOST_ROWS = 1000
_COPIES = {ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH}

Members = dict[str, Any]
Bound = list[tuple[int, bytes | None]]


def prepare(
    step: Members, config: Members, credentials: Members, context: Json
) -> tuple[Json, Callable[[str], Json]]:
    """What is asked, and how to carry it out. Raises StepError, ExpressionError."""
    params = render(step.get("params", {}), context)
    sql, names = definitions.numbered(step["sql"])
    bound: Bound = []
    for name in names:
        try:
            bound.append(sql_values.parameter(params[name]))
        except (ValueError, TypeError) as error:
            raise StepError("invalid_request", f"{name} can't be bound. {error}") from None
    seconds = step.get("timeout", definitions.DEFAULT_TIMEOUT)
    asked = {"sql": step["sql"], "params": params}
    return asked, lambda _key: _perform(sql, bound, config, credentials, seconds)


def _perform(sql: str, bound: Bound, config: Members, credentials: Members, seconds: float) -> Json:
    """Raises StepError, UnreachableError."""
    deadline = Deadline(seconds)
    try:
        with sql_wire.connected(config, credentials, deadline) as session:
            # So the server ends the statement too, and not only our wait for it.
            session.execute(
                f"SELECT set_config('statement_timeout', '{deadline.left():.3f}s', true), "
                "set_config('datestyle', 'ISO', true)".encode()
            )
            return _result(session, sql, bound)
    except (TimeoutError, psycopg.errors.QueryCanceled):
        words = f"The database was not done within {seconds:g} seconds."
        raise StepError("timeout", words) from None
    except psycopg.Error as error:
        raise _failure(error) from None


def _failure(error: psycopg.Error) -> StepError:
    # Without a code nothing was answered; 08 and 57P are about the connection.
    if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
        return StepError("unreachable", f"It can't be reached: {sql_wire.first_line(error)}")
    said = error.diag
    answered = {
        "sqlstate": error.sqlstate,
        "message": said.message_primary,
        "detail": said.message_detail,
        "hint": said.message_hint,
    }
    return StepError(
        "sql_error", f"The database refuses it: {sql_wire.first_line(error)}", answered=answered
    )


def _result(session: Session, sql: str, bound: Bound) -> Json:
    session.pgconn.send_query_params(
        sql.encode(), [value for _, value in bound], param_types=[kind for kind, _ in bound]
    )
    session.pgconn.set_single_row_mode()
    session.wait(generators.send(session.pgconn))
    reading = Transformer(session)
    rows: list[dict[str, Json]] = []
    names: list[str] | None = None
    size = changed = 0
    for answer in _answers(session):
        changed = answer.command_tuples or changed
        reading.set_pgresult(answer, set_loaders=names is None)
        names = _column_names(answer) if names is None else names
        for number in range(answer.ntuples):
            row = dict(zip(names, reading.load_row(number, tuple) or (), strict=True))
            rows.append(row)
            size += len(orjson.dumps(row)) + 1
            _require_bounds(len(rows), size)
    return {"rows": rows, "row_count": len(rows) or changed}


def _answers(session: Session) -> Iterator[PGresult]:
    """Raises psycopg.Error, StepError."""
    while (answer := session.wait(generators.fetch(session.pgconn))) is not None:
        if answer.status == ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(answer, "utf-8")
        if answer.status in _COPIES:
            raise StepError("sql_error", "COPY can't be a step. Use SELECT or INSERT.")
        yield answer


def _require_bounds(rows: int, size: int) -> None:
    if rows > MOST_ROWS:
        raise StepError(
            "too_many_rows",
            f"There are more than {MOST_ROWS} rows, so the statement was taken back. Add a LIMIT, "
            "or ask for less.",
        )
    if size > MOST_BYTES:
        raise StepError(
            "too_large",
            f"The rows have more than {MOST_BYTES} bytes, so the statement was taken back. Ask "
            "for fewer rows or columns.",
        )


def _column_names(answer: PGresult) -> list[str]:
    names = [(answer.fname(at) or b"").decode("utf-8", "replace") for at in range(answer.nfields)]
    for name in names:
        if names.count(name) > 1:
            raise StepError(
                "sql_error", f"Two columns are named {name}. Give one another name, with AS."
            )
    return names
