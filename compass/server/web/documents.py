"""A workflow's document as text: how it is shown, how it is read, and what is wrong where."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from compass.server.core.errors import Invalid
from compass.server.core.models import Workflow
from compass.server.web import json_places
from compass.server.web.json_places import MalformedError

WIDTH = 88

NO_OBJECT = "A workflow is one object: it begins with { and ends with }."


@dataclass(frozen=True)
class Finding:
    """Something that is wrong. `place` is what it is wrong with, in words of the document."""

    line: int
    quoted: str
    place: str
    words: str


class UnreadableError(Exception):
    """The text holds no document that could be looked at any further."""

    def __init__(self, findings: list[Finding]):
        super().__init__("That is no document.")
        self.findings = findings


def of(workflow: Workflow) -> dict[str, Any]:
    """The flat document, as the API takes it; what it has none of is left out."""
    members = {"name": workflow.name, **workflow.definition}
    return {name: value for name, value in members.items() if value is not None}


def typed(text: str) -> str:
    """As it was typed: browsers send other line ends than they count."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read(text: str) -> dict[str, Any]:
    """Raises UnreadableError."""
    try:
        document = json_places.read(text)
    except MalformedError as error:
        place = f"column {error.column}"
        raise UnreadableError([_finding(text, error.line, place, str(error))]) from None
    if not isinstance(document, dict):
        raise UnreadableError([_finding(text, 1, "", NO_OBJECT)])
    repeated = json_places.places(text).repeated
    if repeated:
        raise UnreadableError(
            [
                _finding(text, line, pointer, "This name is in its object twice. Keep one of them.")
                for pointer, line in repeated.items()
            ]
        )
    return document


def findings(text: str, invalid: Invalid) -> list[Finding]:
    """Each with its line, from the top of the text that was typed."""
    places = json_places.places(text)
    found = [
        _finding(text, places.line_of(f"/{pointer}"), pointer, words)
        for pointer, words in invalid.errors.items()
    ]
    return sorted(found, key=lambda each: each.line)


def pretty(value: Any, indent: str = "", used: int = 0) -> str:
    """JSON as people write it: what fits on a line is on one. `used`: what stands before it."""
    flat = json.dumps(value, ensure_ascii=False)
    fits = len(indent) + used + len(flat) <= WIDTH
    if not isinstance(value, dict | list) or not value or fits:
        return flat
    return "\n".join(_lines(value, indent))


def _lines(value: dict[str, Any] | list[Any], indent: str) -> Iterator[str]:
    inner = f"{indent}  "
    if isinstance(value, dict):
        members = [
            (f"{json.dumps(name, ensure_ascii=False)}: ", each) for name, each in value.items()
        ]
    else:
        members = [("", each) for each in value]
    yield "{" if isinstance(value, dict) else "["
    for number, (start, each) in enumerate(members, start=1):
        end = "," if number < len(members) else ""
        yield f"{inner}{start}{pretty(each, inner, len(start))}{end}"
    yield indent + ("}" if isinstance(value, dict) else "]")


def _finding(text: str, line: int, pointer: str, words: str) -> Finding:
    rows = text.split("\n")
    return Finding(line, rows[line - 1].strip()[:160], pointer.removeprefix("/"), words)
