"""A sql step: one statement with its parameters bound, in a transaction of its own.

The statement is the workflow's, word for word: values never become SQL. It goes by PostgreSQL's
extended protocol, which takes exactly one, and its rows come one by one, so that no more of them
are ever held than a result may have.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psycopg
from psycopg import generators
from psycopg.pq import ExecStatus

from compass.server.core import definitions, sql_values, sql_wire
from compass.server.core.expressions import render
from compass.server.core.sql_wire import Session
from compass.server.core.step_error import MOST_BYTES, Deadline, Json, StepError

MOST_ROWS = 1000

Members = dict[str, Any]


def prepare(
    step: Members, config: Members, credentials: Members, context: Json
) -> tuple[Json, Callable[[str], Json]]:
    """What is asked, and how to carry it out. Raises StepError, ExpressionError."""
    params = render(step.get("params", {}), context)
    sql, names = definitions.numbered(step["sql"])
    try:
        bound = [sql_values.parameter(params[name]) for name in names]
    except (ValueError, TypeError) as error:
        raise StepError("invalid_request", f"A parameter can't be bound: {error}") from None
    seconds = step.get("timeout", definitions.DEFAULT_TIMEOUT)
    asked = {"sql": step["sql"], "params": params}
    return asked, lambda _key: _perform(sql, bound, config, credentials, seconds)


def _perform(
    sql: str,
    bound: list[tuple[int, bytes | None]],
    config: Members,
    credentials: Members,
    seconds: float,
) -> Json:
    deadline = Deadline(seconds)
    session: Session | None = None
    try:
        with sql_wire.connected(config, credentials, deadline) as session:
            _prepare_session(session, deadline)
            return _result(session, sql, bound)
    except (TimeoutError, psycopg.errors.QueryCanceled):
        raise StepError(
            "timeout",
            f"The statement was not done within {seconds:g} seconds; it was taken back.",
        ) from None
    except psycopg.Error as error:
        if session is None:
            words = f"The database can't be reached: {sql_wire.first_line(error)}"
            raise StepError("unreachable", words) from None
        words = f"The database refuses the statement: {sql_wire.first_line(error)}"
        raise StepError("sql_error", words, answered=_said(error)) from None


def _prepare_session(session: Session, deadline: Deadline) -> None:
    """The server ends a statement itself, where it can still be spoken to."""
    session.execute(
        "SELECT set_config('statement_timeout', %s, true), set_config('datestyle', 'ISO', true)",
        (f"{max(1, round(deadline.left() * 1000))}ms",),
    )


def _result(session: Session, sql: str, bound: list[tuple[int, bytes | None]]) -> Json:
    rows: list[dict[str, Json]] = []
    size, count = 0, 0
    session.pgconn.send_query_params(
        sql.encode(), [value for _, value in bound], param_types=[kind for kind, _ in bound]
    )
    session.pgconn.set_single_row_mode()
    session.wait(generators.send(session.pgconn))
    transform = sql_values.transformer(session)
    names: list[str] = []
    for answer in _answers(session):
        if not names and answer.nfields:
            names = _column_names(answer)
            transform.set_pgresult(answer)
        elif answer.nfields:
            transform.set_pgresult(answer, set_loaders=False)
        count = answer.command_tuples or count
        for number in range(answer.ntuples):
            row = dict(zip(names, transform.load_row(number, tuple) or (), strict=True))
            rows.append(row)
            size += len(orjson.dumps(row))
            _require_bounds(session, len(rows), size)
    return {"rows": rows, "row_count": len(rows) or count}


def _answers(session: Session) -> Iterator[Any]:
    while (answer := session.wait(generators.fetch(session.pgconn))) is not None:
        if answer.status in {ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE}:
            raise psycopg.errors.error_from_result(answer, "utf-8")
        if answer.status in {ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH}:
            session.close()
            raise psycopg.errors.FeatureNotSupported("COPY can't be a step.")
        yield answer


def _require_bounds(session: Session, rows: int, size: int) -> None:
    if rows > MOST_ROWS:
        session.close()
        raise StepError(
            "too_many_rows",
            f"The statement gives more than {MOST_ROWS} rows; it was taken back. Add a LIMIT, or "
            "ask for less.",
        )
    if size > MOST_BYTES:
        session.close()
        raise StepError(
            "too_large",
            f"The rows have more than {MOST_BYTES} bytes; the statement was taken back. Ask for "
            "fewer columns or rows.",
        )


def _column_names(answer: Any) -> list[str]:
    names = [
        (answer.fname(each) or b"").decode("utf-8", "replace") for each in range(answer.nfields)
    ]
    for name in names:
        if names.count(name) > 1:
            raise StepError(
                "sql_error", f"Two columns are named {name}. Give one another name, with AS."
            )
    return names


def _said(error: psycopg.Error) -> Json:
    said = error.diag
    return {
        "sqlstate": error.sqlstate,
        "message": said.message_primary,
        "detail": said.message_detail,
        "hint": said.message_hint,
    }
