"""What a workflow's document may say. Everything that is wrong with it is told at once, each with
its place (a JSON Pointer without the first slash) and what to write instead."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote

import orjson

from compass.server.core import expressions, input_schema
from compass.server.core.connection_shapes import HEADER_NAME, HEADERS_NOT_TO_SET
from compass.server.core.errors import Findings, Invalid
from compass.server.core.models import ConnectionKind

MOST_STEPS = 50
LONGEST_SQL = 20_000
LARGEST = 100_000
DEEPEST = 40
DEFAULT_TIMEOUT, LONGEST_TIMEOUT = 30, 300

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_PLACEHOLDER = re.compile(r"%(?:%|\(([A-Za-z_][A-Za-z0-9_]{0,62})\)s|(.{0,20}))", re.DOTALL)
_STEPS_NAME = re.compile(r"(?<![\w.\"'`])steps\.([A-Za-z_]\w*)")

SQL_MEMBERS = {"name", "connection", "sql", "params", "timeout"}
HTTP_MEMBERS = {
    "name", "connection", "method", "path", "query", "headers", "json", "text", "timeout",
}  # fmt: skip

Members = dict[str, Any]


@dataclass(frozen=True)
class Definition:
    """As it is kept and run. `input_schema` and `output` are None where there are none."""

    input_schema: Members | None
    steps: list[Members]
    output: Any

    def as_json(self) -> Members:
        return {"input_schema": self.input_schema, "steps": self.steps, "output": self.output}

    @property
    def connections(self) -> set[str]:
        """The names of those that it uses."""
        return {step["connection"] for step in self.steps}


def check(document: Members, connections: dict[str, ConnectionKind]) -> Definition:
    """Of a document without its name, in a project with these connections. Raises Invalid."""
    wrong = Findings()
    if len(orjson.dumps(document)) > LARGEST or input_schema.depth_of(document) > DEEPEST:
        raise Invalid(steps=f"A workflow may have {LARGEST} bytes and {DEEPEST} levels at most.")
    schema, output = document.get("input_schema"), document.get("output")
    with wrong:
        if schema is not None:
            input_schema.check_schema(schema)
            _require_objects(schema)
    steps: list[Members] = []
    with wrong:
        steps = list(_steps(document.get("steps"), connections, wrong))
    given = document.get("steps")
    named = given if isinstance(given, list) else []
    names = [str(each.get("name")) for each in named if isinstance(each, dict)]
    with wrong:
        _check_expressions(output, "output", names)
    wrong.settle()
    return Definition(schema, steps, output)


def _require_objects(schema: Members) -> None:
    """An input is always an object: what could take none could not be run."""
    types = schema.get("type", "object")
    if "object" not in (types if isinstance(types, list) else [types]):
        raise Invalid(**{"input_schema/type": 'An input is an object: write "type": "object".'})


def _steps(
    given: Any, connections: dict[str, ConnectionKind], wrong: Findings
) -> Iterator[Members]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_STEPS:
        raise Invalid(steps=f"Give a list of 1 to {MOST_STEPS} steps.")
    before: list[str] = []
    for number, step in enumerate(given):
        with wrong:
            yield _step(f"steps/{number}", step, connections, before)
        if isinstance(step, dict) and isinstance(step.get("name"), str):
            before.append(step["name"])


def _step(
    place: str, step: Any, connections: dict[str, ConnectionKind], before: list[str]
) -> Members:
    if not isinstance(step, dict):
        raise Invalid(**{place: "Give an object with name, connection, and sql or method."})
    wrong = Findings()
    is_sql = "sql" in step
    for name in step:
        if name not in (SQL_MEMBERS if is_sql else HTTP_MEMBERS):
            known = ", ".join(sorted(SQL_MEMBERS if is_sql else HTTP_MEMBERS))
            with wrong:
                _wrong(f"{place}/{expressions.escaped(name)}", f"Unknown. Known are {known}.")
    checks: list[Callable[[], None]] = [
        lambda: _check_name(f"{place}/name", step.get("name"), before),
        lambda: _check_connection(f"{place}/connection", step, is_sql, connections),
        lambda: _check_timeout(f"{place}/timeout", step.get("timeout", DEFAULT_TIMEOUT)),
    ]
    if is_sql:
        checks.append(lambda: _check_sql(place, step))
    else:
        checks.append(lambda: _check_request(place, step, wrong))
    for member in ("params", "path", "query", "headers", "json", "text"):
        checks.append(
            lambda member=member: _check_expressions(  # type: ignore[misc]
                step.get(member), f"{place}/{member}", before
            )
        )
    for each in checks:
        with wrong:
            each()
    wrong.settle()
    return step


def _check_name(place: str, name: Any, before: list[str]) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        _wrong(place, "Give a name of letters, digits and _, such as fetch_orders.")
    if name in before:
        _wrong(place, f"There is a step named {name} before. Choose another name.")


def _check_connection(
    place: str, step: Members, is_sql: bool, connections: dict[str, ConnectionKind]
) -> None:
    name = step.get("connection")
    kind = connections.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(sorted(connections)) or "none yet"
        _wrong(place, f"Name a connection of this project. There is: {known}.")
    if is_sql and kind is ConnectionKind.HTTP:
        _wrong(place, f"{name} is an http connection: give method and path in place of sql.")
    if not is_sql and kind is ConnectionKind.POSTGRES:
        _wrong(place, f"{name} is a postgres connection: give sql in place of method and path.")


def _check_timeout(place: str, seconds: Any) -> None:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= LONGEST_TIMEOUT:
        _wrong(place, f"Give seconds, up to {LONGEST_TIMEOUT}.")


def _check_sql(place: str, step: Members) -> None:
    sql, params = step["sql"], step.get("params", {})
    if not isinstance(sql, str) or not sql.strip() or len(sql) > LONGEST_SQL or "\0" in sql:
        _wrong(f"{place}/sql", f"Give a statement of at most {LONGEST_SQL} characters.")
    if expressions.OPEN in sql:
        _wrong(
            f"{place}/sql",
            "SQL is not templated, so that no value can become SQL. Write %(day)s, and "
            '"params": {"day": "{{ input.day }}"}.',
        )
    if not isinstance(params, dict):
        _wrong(f"{place}/params", 'Give an object, such as {"day": "{{ input.day }}"}.')
    named = set()
    for found in _PLACEHOLDER.finditer(sql):
        if found[2] is not None:
            _wrong(f"{place}/sql", f"Write %% for a percent sign, or %(name)s: %{found[2][:20]}")
        if found[1]:
            named.add(found[1])
    if missing := sorted(named - set(params)):
        _wrong(f"{place}/params", f"{missing[0]} is in the SQL and not here.")
    if unused := sorted(set(params) - named):
        _wrong(
            f"{place}/params/{expressions.escaped(unused[0])}",
            f"Not in the SQL. Write %({unused[0]})s there, or leave it out here.",
        )


def numbered(sql: str) -> tuple[str, list[str]]:
    """The statement as PostgreSQL itself wants it, with $1 for the first of the names."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] is None:
            return "%"
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return _PLACEHOLDER.sub(place, sql), names


def _check_request(place: str, step: Members, wrong: Findings) -> None:
    with wrong:
        if step.get("method") not in METHODS:
            _wrong(f"{place}/method", f"Give one of {', '.join(METHODS)}; or sql.")
    with wrong:
        path = step.get("path")
        if not isinstance(path, str) or not path.startswith("/") or len(path) > 2000:
            _wrong(f"{place}/path", "Give a path that begins with /, under the connection's base.")
        # Whatever is filled in is looked at when it is known.
        likely = "".join("x" if is_one else text for is_one, text in expressions.parse(path))
        if reason := what_leaves(likely):
            _wrong(f"{place}/path", reason)
    with wrong:
        query = step.get("query", {})
        if not isinstance(query, dict) or any(isinstance(v, dict) for v in query.values()):
            _wrong(f"{place}/query", "Give an object of texts, numbers or lists of them.")
    with wrong:
        headers = step.get("headers", {})
        if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
            _wrong(f"{place}/headers", "Give an object of texts.")
        for name in headers:
            if not HEADER_NAME.fullmatch(name) or name.lower() in HEADERS_NOT_TO_SET:
                _wrong(
                    f"{place}/headers/{expressions.escaped(name)}",
                    "This header can't be set by a step. Credentials belong into the connection.",
                )
    with wrong:
        if "json" in step and "text" in step:
            _wrong(f"{place}/text", "Give json or text, not both.")
        if "text" in step and not isinstance(step["text"], str):
            _wrong(f"{place}/text", "Give a text.")


def what_leaves(path: str) -> str | None:
    """Why a request with this path could leave the connection's base; None for one that can't.

    Looked at as it is and as a server may decode it.
    """
    seen = path
    for _ in range(4):
        if "\\" in seen or any(ord(char) < 32 or ord(char) == 127 for char in seen):
            return "Leave out backslashes and control characters."
        if "?" in seen or "#" in seen:
            return "Leave out ? and #: give a query as query."
        # Some servers take blanks and dots at a folder's end, or what follows a semicolon, away.
        folders = [each.partition(";")[0].rstrip(" .") for each in seen.split("/")[1:]]
        if "" in folders[:-1] or (not folders[-1] and not seen.endswith("/")):
            return "Leave out //, . and .. as folders: a path stays under the connection's base."
        decoded = unquote(seen)
        if decoded == seen:
            return None
        seen = decoded
    return "It is encoded too often."


def _check_expressions(value: Any, place: str, before: list[str]) -> None:
    for pointer, text in expressions.texts(value, place):
        try:
            parts = expressions.parse(text)
        except expressions.ExpressionError as error:
            _wrong(pointer, str(error))
        for is_expression, expression in parts:
            for name in _STEPS_NAME.findall(expression) if is_expression else ():
                if name not in before:
                    known = ", ".join(before) or "none"
                    _wrong(pointer, f"There is no step named {name} before. There is: {known}.")


def _wrong(place: str, words: str) -> NoReturn:
    raise Invalid(**{place: words})
