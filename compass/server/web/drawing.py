"""A workflow as people read it: its steps with what flows into each, and its input as a table."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from compass.server.core import expressions
from compass.server.core.models import Connection
from compass.server.web.documents import pretty

# What a step says besides where it goes, in the order in which it is read.
_DETAILS = ("params", "query", "headers", "json", "text")
_LABELS = {"params": "Bound values", "query": "Query", "headers": "Headers", "json": "JSON body",
           "text": "Text body"}  # fmt: skip
_INPUT = re.compile(r"""(?<![\w."'`])input(?:\.([A-Za-z_]\w*))?""")
_STEP = re.compile(r"""(?<![\w."'`])steps\.([A-Za-z_]\w*)""")
_DEEPEST = 4


@dataclass(frozen=True)
class Step:
    """`asks`: the method and path, or the SQL. `takes_input` and `takes_from` are names."""

    number: int
    name: str
    connection: Connection | None
    connection_name: str
    is_sql: bool
    asks: str
    details: list[tuple[str, str]]
    timeout: float | None
    takes_input: list[str]
    takes_from: list[str]


@dataclass(frozen=True)
class Field:
    """A member of the input."""

    name: str
    kind: str
    is_required: bool
    note: str


def steps(definition: dict[str, Any], connections: dict[str, Connection]) -> list[Step]:
    return [
        _step(number, step, connections) for number, step in enumerate(definition["steps"], start=1)
    ]


def sources(value: Any) -> tuple[list[str], list[str]]:
    """(members of the input, steps) that its expressions speak of; `""` is the whole input."""
    inputs: dict[str, None] = {}
    found: dict[str, None] = {}
    for _, text in expressions.texts(value, ""):
        for is_expression, expression in expressions.parse(text):
            if is_expression:
                inputs |= dict.fromkeys(_INPUT.findall(expression))
                found |= dict.fromkeys(_STEP.findall(expression))
    return list(inputs), list(found)


def fields(schema: dict[str, Any] | None) -> list[Field]:
    """What the schema says of its members, those inside others with the path to them."""
    return list(_fields(schema or {}, "", 0))


def command(name: str, given: Any) -> str:
    """The call that runs it, for a shell."""
    body = shlex.quote(pretty({"workflow": name, "input": given}))
    return (
        'curl -X POST "$COMPASS_BASE_URL/v1/runs" \\\n'
        '  -H "Authorization: Bearer $COMPASS_API_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {body}"
    )


def _step(number: int, step: dict[str, Any], connections: dict[str, Connection]) -> Step:
    is_sql = "sql" in step
    takes_input, takes_from = sources([step.get("path"), *(step.get(each) for each in _DETAILS)])
    return Step(
        number=number,
        name=step["name"],
        connection=connections.get(step["connection"]),
        connection_name=step["connection"],
        is_sql=is_sql,
        asks=step["sql"] if is_sql else f"{step['method']} {step['path']}",
        details=[
            (_LABELS[each], step[each] if each == "text" else pretty(step[each]))
            for each in _DETAILS
            if step.get(each)
        ],
        timeout=step.get("timeout"),
        takes_input=takes_input,
        takes_from=takes_from,
    )


def _fields(schema: dict[str, Any], path: str, depth: int) -> Iterator[Field]:
    members, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(members, dict) or depth > _DEEPEST:
        return
    for name, each in members.items():
        if not isinstance(each, dict):
            continue
        at = f"{path}.{name}" if path else name
        yield Field(at, _kind(each), name in required, _note(each))
        yield from _fields(each, at, depth + 1)
        if isinstance(each.get("items"), dict):
            yield from _fields(each["items"], f"{at}[]", depth + 1)


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"as {schema['$ref']}"
    given = schema.get("type", "anything")
    kind = " or ".join(str(each) for each in given) if isinstance(given, list) else str(given)
    return f"{kind}, {schema['format']}" if "format" in schema else kind


_RULES = {
    "minimum": "at least {}", "maximum": "at most {}",
    "exclusiveMinimum": "more than {}", "exclusiveMaximum": "less than {}",
    "minLength": "{} characters or more", "maxLength": "at most {} characters",
    "minItems": "{} items or more", "maxItems": "at most {} items",
    "pattern": "matches {}", "default": "default {}", "const": "always {}",
}  # fmt: skip


def _note(schema: dict[str, Any]) -> str:
    """In words; whatever is not said here is in the document."""
    said = [str(schema["description"])] if schema.get("description") else []
    if isinstance(schema.get("enum"), list):
        said.append(f"one of {', '.join(pretty(each) for each in schema['enum'])}")
    return "; ".join([*said, *rules(schema)])


def rules(schema: dict[str, Any]) -> Iterator[str]:
    """What a value must be besides its type."""
    for name, words in _RULES.items():
        if name in schema:
            yield words.format(schema[name] if name == "pattern" else pretty(schema[name]))
