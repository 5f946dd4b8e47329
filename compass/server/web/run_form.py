"""The form that asks for a workflow's input, made from its input schema.

A member of the input that is a text, a number, a choice or a yes and no has a field of that kind;
any other is given as JSON. Where the schema names no members, or the input does not fit fields,
one text area takes the whole input as JSON.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from compass.server.core import input_schema
from compass.server.core.errors import Invalid
from compass.server.core.expressions import escaped
from compass.server.web import json_places
from compass.server.web.documents import pretty
from compass.server.web.drawing import rules

PREFIX = "input."
WHOLE = "input"
# A text that may be longer than that has more than a line to be written on.
ONE_LINE = 200

_INPUT_TYPES = {"date": "date", "email": "email", "uri": "url"}
_HELP = {
    "json": "Written as JSON.",
    "date-time": "Such as 2026-11-01T09:30:00Z.",
    "time": "Such as 09:30:00Z.",
    "uuid": "Such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301.",
}

# What a box that is not ticked could be told as.
_NO = {"", "false", "off", "no", "0"}

Json = Any
_NOTHING = object()


@dataclass
class Field:
    """`kind` is text, area, number, choice, check or json; `typed` is what stands in it."""

    number: int
    member: str
    kind: str
    schema: dict[str, Any]
    is_required: bool
    input_type: str = "text"
    # (what is sent, what is shown)
    options: list[tuple[str, str]] = field(default_factory=list)
    values: dict[str, Json] = field(default_factory=dict)
    typed: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.member}"

    @property
    def id(self) -> str:
        return f"field-{self.number}"

    @property
    def help(self) -> str:
        """What it is, and what it must be, in words."""
        said = [str(self.schema["description"])] if self.schema.get("description") else []
        kind = ["a whole number"] if "integer" in _types(self.schema) else []
        if words := "; ".join([*kind, *rules(self.schema)]):
            said.append(f"{words[0].upper()}{words[1:]}.")
        said.append(
            _HELP.get("json" if self.kind == "json" else str(self.schema.get("format")), "")
        )
        return " ".join(filter(None, said))

    def value(self) -> Json:
        """What was typed, as JSON has it; _NOTHING where it was left out. Raises ValueError."""
        if self.kind == "check":
            return self.typed.lower() not in _NO
        text = self.typed.replace("\r\n", "\n")
        if not text.strip():
            nullable = self.is_required and "null" in _types(self.schema)
            return None if nullable else _NOTHING
        if self.kind == "choice":
            return self.values.get(text, text)
        if self.kind == "number":
            return _number(text.strip())
        if self.kind == "json":
            return json_places.read(text)
        return text


@dataclass
class InputForm:
    """`fields` is None where the whole input is given as one JSON text, `whole`."""

    fields: list[Field] | None
    whole: str = ""
    errors: list[str] = field(default_factory=list)
    value: Json = None

    @property
    def first_wrong(self) -> str | None:
        """The id of the first field with an error: where the focus goes."""
        wrong = [each.id for each in self.fields or () if each.errors]
        return wrong[0] if wrong else "field-0" if self.errors and self.fields is None else None

    @property
    def is_wrong(self) -> bool:
        return bool(self.errors or any(each.errors for each in self.fields or ()))

    def blame(self, invalid: Invalid) -> None:
        """Puts each sentence at the field that it is about, else above the form."""
        by_member = {escaped(each.member): each for each in self.fields or ()}
        for pointer, sentence in invalid.errors.items():
            _, *path = pointer.split("/")
            found = by_member.get(path[0]) if path else None
            place = "/".join(path[1:] if found else path)
            words = f"{place}: {sentence}" if place else sentence
            (found.errors if found else self.errors).append(words)


def blank(schema: dict[str, Any] | None, as_json: bool = False) -> InputForm:
    """With the schema's defaults in it."""
    fields = None if as_json else _fields(schema)
    if fields is None:
        default = schema.get("default", {}) if schema else {}
        return InputForm(None, pretty(default))
    for each in fields:
        if "default" in each.schema:
            _fill(each, each.schema["default"])
    return InputForm(fields)


def holding(schema: dict[str, Any] | None, value: Json) -> InputForm:
    """With that input in it, as fields if all of it fits them."""
    fields = _fields(schema)
    known = {each.member for each in fields or ()}
    if fields is None or not isinstance(value, dict) or not set(value) <= known:
        return InputForm(None, pretty(value))
    fitting = [_fill(each, value[each.member]) for each in fields if each.member in value]
    return InputForm(fields) if all(fitting) else InputForm(None, pretty(value))


def read(schema: dict[str, Any] | None, sent: Mapping[str, str]) -> InputForm:
    """What was sent. Its `value` is the input, unless it `is_wrong` already."""
    fields = None if WHOLE in sent else _fields(schema)
    if fields is None:
        return _read_whole(sent.get(WHOLE, ""))
    form = InputForm(fields, value={})
    for each in fields:
        each.typed = sent.get(each.name, "")
        try:
            value = each.value()
        except ValueError as error:
            each.errors.append(_said(error))
            continue
        if value is not _NOTHING:
            form.value[each.member] = value
        elif each.is_required:
            each.errors.append("Fill this in: the workflow needs it.")
    if form.is_wrong and schema:
        _find_more(form, schema)
    return form


def _read_whole(text: str) -> InputForm:
    form = InputForm(None, text.replace("\r\n", "\n"))
    try:
        form.value = json_places.read(form.whole) if form.whole.strip() else {}
    except ValueError as error:
        form.errors.append(_said(error))
    return form


def _said(error: ValueError) -> str:
    if isinstance(error, json_places.MalformedError):
        return f"Line {error.line}, column {error.column}: {error}"
    return str(error)


def _find_more(form: InputForm, schema: dict[str, Any]) -> None:
    """What else is wrong, so that all of it is told at once."""
    try:
        input_schema.validate({**schema, "required": []}, form.value)
    except Invalid as invalid:
        wrong = {escaped(each.member) for each in form.fields or () if each.errors}
        others = {
            pointer: words
            for pointer, words in invalid.errors.items()
            if pointer != "input" and pointer.split("/")[1] not in wrong
        }
        form.blame(Invalid(**others))


def _fields(schema: dict[str, Any] | None) -> list[Field] | None:
    """None where the input is none that has a field for each member."""
    members = (schema or {}).get("properties")
    if not schema or not isinstance(members, dict) or _types(schema) not in ([], ["object"]):
        return None
    required = schema.get("required", [])
    names = [*members, *(each for each in required if each not in members)]
    if not names or not all(name and name.isprintable() for name in names):
        return None
    return [
        _field(number, name, members.get(name), name in required)
        for number, name in enumerate(names)
    ]


def _field(number: int, name: str, schema: Json, is_required: bool) -> Field:
    schema = schema if isinstance(schema, dict) else {}
    made = Field(number, name, "json", schema, is_required)
    types = [each for each in _types(schema) if each != "null"]
    kind = types[0] if len(types) == 1 else ""
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        plain = all(isinstance(each, str) and each.strip() == each != "" for each in choices)
        sent = [each if plain else pretty(each) for each in choices]
        made.kind = "choice"
        made.values = dict(zip(sent, choices, strict=True))
        made.options = [(each, each) for each in sent]
    elif kind == "boolean" and is_required and "null" not in _types(schema):
        made.kind = "check"
    elif kind == "boolean":
        made.kind, made.values = "choice", {"true": True, "false": False}
        made.options = [("true", "Yes"), ("false", "No")]
    elif kind in {"integer", "number"}:
        made.kind = "number"
    elif kind == "string":
        longest = schema.get("maxLength", 0)
        made.kind = "area" if longest > ONE_LINE else "text"
        made.input_type = _INPUT_TYPES.get(str(schema.get("format")), "text")
    return made


def _fill(each: Field, value: Json) -> bool:
    """Whether the field can hold it."""
    each.typed = value if isinstance(value, str) and each.kind != "json" else pretty(value)
    if value is None and each.kind != "json":
        each.typed = ""
    if each.kind == "choice" and each.values:
        each.typed = next((sent for sent, one in each.values.items() if _same(one, value)), "")
    if each.kind == "text" and ("\n" in each.typed or "\r" in each.typed):
        each.kind = "area"
    if each.input_type == "date" and not _is_date(each.typed):
        # A field for dates would show nothing.
        each.input_type = "text"
    try:
        return _same(each.value(), value)
    except ValueError:
        return False


def _same(one: Json, other: Json) -> bool:
    """As JSON has it: true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _number(text: str) -> int | float:
    """As JSON reads it, so that none is larger than the API's. Raises ValueError."""
    if not re.fullmatch(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", text):
        raise ValueError("Give a number, such as 3 or 0.5.")
    value = float(text)
    if re.fullmatch(r"[+-]?[0-9]+", text):
        # The length first: Python refuses to read numbers of thousands of digits.
        if len(text.lstrip("+-0")) > 20 or not -(2**63) <= int(text) < 2**64:
            raise ValueError("A whole number may have 64 bits at most.")
        return int(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("This number is too large.")
    return value


def _types(schema: dict[str, Any]) -> list[Any]:
    given = schema.get("type", [])
    return given if isinstance(given, list) else [given]
