"""What a workflow's input must look like: JSON Schema, draft 2020-12, with formats checked.

Whoever writes a schema is trusted with the project, and still none may reach out or run for ever:
references stay inside the document, patterns are RE2's (linear in time), and all that a validation
does is counted.
"""

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import orjson
import re2
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from compass.server.core.errors import Findings, Invalid
from compass.server.core.expressions import escaped

MOST_CHECKS = 100_000
MOST_ERRORS = 20
DEEPEST = 100

# What leads out of the document, or what takes more than it is worth to bound.
_REFUSED = {"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "unevaluatedItems",
            "unevaluatedProperties", "$id", "$anchor"}  # fmt: skip

_spent: ContextVar[list[int]] = ContextVar("spent")

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


class TooMuchError(Exception):
    """The validation was given up."""


def check_schema(schema: Any, place: str = "input_schema") -> None:
    """Raises Invalid, with the place of each thing that is wrong."""
    if not isinstance(schema, dict):
        raise Invalid(**{place: 'Give a JSON Schema: an object such as {"type": "object"}.'})
    wrong = Findings()
    for pointer, name, value in _keywords(schema, place):
        with wrong:
            _check_keyword(pointer, name, value)
    wrong.settle()
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        pointer = "/".join([place, *map(escaped, error.absolute_path)])
        raise Invalid(**{pointer: f"That is no JSON Schema: {error.message[:200]}"}) from None
    except RecursionError:
        raise Invalid(**{place: "The schema is nested too deeply."}) from None
    # References that point nowhere, or round in a circle, show as soon as one is followed.
    _errors(schema, {}, place)


def validate(schema: dict[str, Any] | None, value: Any) -> None:
    """Raises Invalid, with JSON Pointers into the input."""
    check_depth(value)
    if schema is None:
        return
    wrong = Findings()
    for error in _errors(schema, value, "input"):
        pointer = "/".join(["input", *map(escaped, error.absolute_path)])
        with wrong:
            raise Invalid(**{pointer: f"{error.message[:300]}"})
    wrong.settle()


def check_depth(value: Any) -> None:
    """Raises Invalid."""
    if depth_of(value) > DEEPEST:
        raise Invalid(input=f"The input is nested more than {DEEPEST} levels deep.")


def depth_of(value: Any) -> int:
    """How many objects and lists are around the innermost value."""
    depth, layer = 0, [value]
    while layer := [each for each in layer if isinstance(each, dict | list)]:
        depth += 1
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def _errors(schema: dict[str, Any], value: Any, place: str) -> list[ValidationError]:
    """Raises Invalid where it was given up."""
    checker = _Validator(schema, registry=Registry(), format_checker=_FORMATS)
    token = _spent.set([0])
    try:
        found = []
        for error in checker.iter_errors(value):
            found.append(error)
            if len(found) == MOST_ERRORS:
                break
        return found
    except TooMuchError:
        raise Invalid(**{place: "Checking this takes too long: make the schema simpler."}) from None
    except RecursionError:
        raise Invalid(**{place: "The schema goes round in a circle."}) from None
    except Unresolvable as error:
        raise Invalid(**{place: f"A $ref points nowhere: {error.ref[:200]}"}) from None
    except (AttributeError, TypeError):
        raise Invalid(**{place: "A $ref leads to what is no schema."}) from None
    finally:
        _spent.reset(token)


def _keywords(schema: Any, place: str) -> Iterator[tuple[str, str, Any]]:
    """(pointer, name, value) of every member of every object in it."""
    open_: list[tuple[str, Any]] = [(place, schema)]
    while open_:
        where, value = open_.pop()
        if isinstance(value, dict):
            for name, each in value.items():
                yield f"{where}/{escaped(name)}", name, each
                open_.append((f"{where}/{escaped(name)}", each))
        elif isinstance(value, list):
            open_ += [(f"{where}/{number}", each) for number, each in enumerate(value)]


def _check_keyword(pointer: str, name: str, value: Any) -> None:
    if name in _REFUSED and isinstance(value, str | bool | dict):
        raise Invalid(**{pointer: f"{name} is not supported here."})
    if name == "$ref" and isinstance(value, str) and not value.startswith("#"):
        raise Invalid(**{pointer: "Refer to a place in this schema, such as #/$defs/day."})
    if name == "pattern" and isinstance(value, str):
        _check_pattern(pointer, value)
    if name == "patternProperties" and isinstance(value, dict):
        for pattern in value:
            _check_pattern(f"{pointer}/{escaped(pattern)}", pattern)


def _check_pattern(pointer: str, pattern: str) -> None:
    try:
        _compiled(pattern)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise Invalid(
            **{pointer: f"That is no pattern of RE2, which knows no look-around: {reason[:200]}"}
        ) from None


def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError(f"{value[:80]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], value: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    for pattern, schema in patterns.items():
        compiled = _compiled(pattern)
        for name, each in value.items():
            if compiled.search(name):
                yield from validator.descend(each, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, additional: Any, value: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    patterns = [_compiled(each) for each in schema.get("patternProperties", {})]
    known = schema.get("properties", {})
    for name, each in value.items():
        if name in known or any(pattern.search(name) for pattern in patterns):
            continue
        if additional is False:
            yield ValidationError(f"{name[:80]!r} is not known here")
        else:
            yield from validator.descend(each, additional, path=name)


def _unique_items(
    _validator: Any, unique: bool, value: Any, _schema: Any
) -> Iterator[ValidationError]:
    """By the text of each, so that a long list takes no longer than it is."""
    if unique and isinstance(value, list):
        said = {orjson.dumps(_canonical(each), option=orjson.OPT_SORT_KEYS) for each in value}
        if len(said) < len(value):
            yield ValidationError("has the same item twice")


def _canonical(value: Any) -> Any:
    """1.0 is 1 (section 6.4.3 of the validation vocabulary)."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _canonical(each) for name, each in value.items()}
    return [_canonical(each) for each in value] if isinstance(value, list) else value


def _counted(check: Any) -> Any:
    def counting(*args: Any) -> Iterator[ValidationError]:
        spent = _spent.get()
        spent[0] += 1
        if spent[0] > MOST_CHECKS:
            raise TooMuchError
        return check(*args) or iter(())

    return counting


_OURS = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
_Validator = validators.extend(
    Draft202012Validator,
    {name: _counted(check) for name, check in (Draft202012Validator.VALIDATORS | _OURS).items()},
)
_FORMATS = FormatChecker()
