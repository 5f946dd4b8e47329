"""Where in a JSON text each value is, so that what is wrong with one is shown at its line.

The text is read by the parser that the key door uses; what this finds out is only where things are.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from compass.server.core.expressions import escaped

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')

# What Python's own parser, which says it best, finds → what to do about it.
_WORDS = {
    "Expecting property name enclosed in double quotes": 'Write a name in double quotes here: "…".',
    "Expecting ':' delimiter": "Write a colon here, between the name and its value.",
    "Expecting ',' delimiter": "Write a comma after this, or close what is open.",
    "Expecting value": "Write a value here: a text in double quotes, a number, {…} or […].",
    "Unterminated string starting at": 'This text is never closed: write " at its end.',
    "Invalid control character at": "A text ends on its own line: write \\n for a line break.",
    "Invalid \\escape": "Write \\\\ for a backslash.",
    "Extra data": "Leave this out: the document has ended before it.",
}


class MalformedError(ValueError):
    """`str()` is a sentence; `line` and `column` count from 1."""

    def __init__(self, text: str, at: int, words: str):
        super().__init__(words)
        self.line = text.count("\n", 0, at) + 1
        self.column = at - text.rfind("\n", 0, at)


@dataclass
class Places:
    """JSON Pointer (RFC 6901) → the line of its member, from 1."""

    lines: dict[str, int] = field(default_factory=dict)
    # Of names that are in one object twice: the pointer, and the line of the second.
    repeated: dict[str, int] = field(default_factory=dict)

    def line_of(self, pointer: str) -> int:
        """Of what is not there, the line of what it is missing from."""
        while pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines[pointer]


def read(text: str) -> Any:
    """Strict JSON (RFC 8259), as the key door takes it. Raises MalformedError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _malformed(text, error) from None


def places(text: str) -> Places:
    """Of a text that `read` takes."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    found = Places()
    for pointer, at, is_repeated in _members(text):
        line = bisect_right(starts, at)
        found.lines[pointer] = line
        if is_repeated:
            found.repeated[pointer] = line
    return found


@dataclass
class _Open:
    """An object or list that the scan is in."""

    pointer: str
    names: set[str] | None
    count: int = 0
    # In an object: of the member whose value comes next, if its name has been read.
    name: str | None = None
    at: int = 0


def _members(text: str) -> Iterator[tuple[str, int, bool]]:
    """(pointer, where its name or, in a list, its value begins, whether it was there before)."""
    open_: list[_Open] = []
    for match in _TOKEN.finditer(text):
        mark, at = match.group(), match.start()
        inner = open_[-1] if open_ else None
        if mark == ":":
            continue
        if mark == ",":
            assert inner  # noqa: S101 (for the type checker: the text is JSON)
            inner.count, inner.name = inner.count + 1, None
        elif mark in {"]", "}"}:
            open_.pop()
        elif inner and inner.names is not None and inner.name is None:
            inner.name, inner.at = json.loads(mark), at
        else:
            pointer, is_repeated = "", False
            if inner and inner.names is None:
                pointer = f"{inner.pointer}/{inner.count}"
            elif inner and inner.names is not None:
                pointer, at = f"{inner.pointer}/{escaped(inner.name)}", inner.at
                is_repeated = pointer in inner.names
                inner.names.add(pointer)
            yield pointer, at, is_repeated
            if mark in {"[", "{"}:
                open_.append(_Open(pointer, set() if mark == "{" else None))


def _malformed(text: str, error: orjson.JSONDecodeError) -> MalformedError:
    at, words = error.pos, f"That is no JSON: {error.msg}."
    try:
        json.loads(text)
    except json.JSONDecodeError as better:
        at, words = better.pos, _WORDS.get(better.msg, f"That is no JSON: {better.msg}.")
        before = text[:at].rstrip()
        if better.msg == "Expecting ',' delimiter":
            at = max(len(before) - 1, 0)
        elif text[at : at + 1] in {"}", "]"} and before.endswith(","):
            at, words = len(before) - 1, "Leave out this comma: nothing follows it."
    except (ValueError, RecursionError):
        pass
    return MalformedError(text, at, words)
