"""`{{ … }}` in a workflow's strings: JMESPath (jmespath.org) over `input` and `steps`.

A standard without code, names of the inside or loops; and what it can still do too much of is
bounded here: how long it takes, and how large what it makes may be. What is put in is data: it is
never looked through for expressions again.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jmespath
import orjson
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

LONGEST = 1000
MOST_VISITS = 50_000
# Items of a list or object, characters of a text.
LARGEST = 1_000_000

OPEN, CLOSE = "{{", "}}"

Json = Any


class ExpressionError(Exception):
    """`str()` is a sentence that names the expression."""


def render(value: Json, context: Json) -> Json:
    """The value with its expressions filled in.

    A string that is one expression alone becomes what that gives, of whatever type; in others, what
    is no text becomes JSON. Raises ExpressionError.
    """
    budget = Budget()
    return _map(value, lambda text: _fill(text, context, budget, as_text))


def render_text(text: str, context: Json, encode: Callable[[Json], str]) -> str:
    """The text with its expressions filled in, each by itself encoded. Raises ExpressionError."""
    budget = Budget()
    parts = [
        encode(_evaluate(each, context, budget)) if is_expression else each
        for is_expression, each in parse(text)
    ]
    return str(budget.keep("".join(parts)))


def as_text(value: Json) -> str:
    """Raises ExpressionError for what no JSON can hold."""
    try:
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    except TypeError:
        raise ExpressionError("A number here is too large to be written out.") from None


def parse(text: str) -> list[tuple[bool, str]]:
    """(whether it is an expression, the text or expression). Raises ExpressionError."""
    parts: list[tuple[bool, str]] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        if start > at:
            parts.append((False, text[at:start]))
        expression, at = _expression(text, start)
        parts.append((True, expression))
    if at < len(text):
        parts.append((False, text[at:]))
    return parts


def texts(value: Json, place: str) -> Iterator[tuple[str, str]]:
    """(JSON Pointer without its first slash, string) of every string in it."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from texts(each, f"{place}/{escaped(name)}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from texts(each, f"{place}/{number}")


def escaped(name: object) -> str:
    """A step of a JSON Pointer (RFC 6901)."""
    return str(name).replace("~", "~0").replace("/", "~1")


class Budget:
    """How much all expressions of one value may do together."""

    def __init__(self) -> None:
        self.visits = 0
        self.size = 0

    def visit(self) -> None:
        self.visits += 1
        if self.visits > MOST_VISITS:
            raise ExpressionError("The expressions here take too long. Ask for less at once.")

    def keep(self, value: Json) -> Json:
        """Counts all that the value holds, as often as it is in there."""
        open_ = [value]
        while open_:
            each = open_.pop()
            self.size += len(each) + 1 if isinstance(each, str) else 1
            if self.size > LARGEST:
                raise ExpressionError("What the expressions here give is too large.")
            if isinstance(each, dict):
                open_ += [*each, *each.values()]
            elif isinstance(each, list):
                open_ += each
        return value


class _Bounded(TreeInterpreter):  # type: ignore[misc]
    """Stops as soon as something on the way grows beyond bounds."""

    def __init__(self, budget: Budget):
        super().__init__()
        self._budget = budget

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._budget.visit()
        value = super().visit(node, *args, **kwargs)
        if isinstance(value, str | list | dict) and len(value) > LARGEST:
            raise ExpressionError("What the expressions here give is too large.")
        return value


def _expression(text: str, start: int) -> tuple[str, int]:
    """The expression that begins here, and where it has ended.

    JMESPath itself has `}}` in it, where one object is inside another: the end is the first one
    that leaves an expression.
    """
    end, first_error = start, None
    while (end := text.find(CLOSE, end + len(OPEN) if end == start else end + 1)) >= 0:
        expression = text[start + len(OPEN) : end].strip()
        try:
            _compile(expression)
        except ExpressionError as error:
            first_error = first_error or error
        else:
            return expression, end + len(CLOSE)
    raise first_error or ExpressionError(f"{OPEN} is never closed by {CLOSE}.")


def _compile(expression: str) -> Any:
    if len(expression) > LONGEST:
        raise ExpressionError(f"An expression may have at most {LONGEST} characters.")
    try:
        return jmespath.compile(expression)
    except (JMESPathError, RecursionError, ValueError) as error:
        reason = _reason(error)
        raise ExpressionError(
            f"{OPEN} {expression[:80]} {CLOSE} is no JMESPath: {reason}"
        ) from None


def _evaluate(expression: str, context: Json, budget: Budget) -> Json:
    compiled = _compile(expression)
    try:
        return budget.keep(_Bounded(budget).visit(compiled.parsed, context))
    except (JMESPathError, RecursionError, ValueError, TypeError, OverflowError) as error:
        reason = _reason(error)
        raise ExpressionError(
            f"{OPEN} {expression[:80]} {CLOSE} can't be worked out: {reason}"
        ) from None


def _reason(error: Exception) -> str:
    """Its first line: the others draw the expression again, with a mark below it."""
    return str(error).partition("\n")[0].removesuffix(", for expression:").rstrip(": ")[:200]


def _fill(text: str, context: Json, budget: Budget, encode: Callable[[Json], str]) -> Json:
    parts = parse(text)
    if len(parts) == 1 and parts[0][0]:
        return _evaluate(parts[0][1], context, budget)
    filled = [
        encode(_evaluate(each, context, budget)) if is_expression else each
        for is_expression, each in parts
    ]
    return budget.keep("".join(filled))


def _map(value: Json, change: Callable[[str], Json]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _map(each, change) for name, each in value.items()}
    if isinstance(value, list):
        return [_map(each, change) for each in value]
    return value
