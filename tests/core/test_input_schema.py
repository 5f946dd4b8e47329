"""Input against its schema: what passes, and what may not run for ever."""

from typing import Any

import pytest

from compass.server.core.errors import Invalid
from compass.server.core.input_schema import check_schema, depth_of, validate


def wrong(schema: dict[str, Any], value: Any) -> dict[str, str]:
    check_schema(schema)
    with pytest.raises(Invalid) as raised:
        validate(schema, value)
    return raised.value.errors


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"format": "date"}, "2026-11-01", "2026-13-01"),
        ({"format": "date-time"}, "2026-11-01T00:00:00Z", "yesterday"),
        ({"format": "email"}, "a@b", "nobody"),
        ({"format": "uri"}, "https://x/y", "not one"),
        ({"format": "uuid"}, "12345678-1234-5678-1234-567812345678", "x"),
        ({"format": "ipv4"}, "192.0.2.1", "999.0.0.1"),
        ({"pattern": "^a+$"}, "aaa", "b"),
        ({"uniqueItems": True}, [1, 2, "1"], [1, 1.0]),
        ({"uniqueItems": True}, [{"a": 1, "b": 2}, {"a": 1}], [{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"a": 1}, {"b": 1}),
        ({"additionalProperties": False, "patternProperties": {"^x": {}}}, {"xy": 1}, {"y": 1}),
        ({"patternProperties": {"^x": {"type": "string"}}}, {"xy": "1"}, {"xy": 1}),
        ({"$ref": "#/$defs/d", "$defs": {"d": {"type": "integer"}}}, 1, "1"),
    ],
)
def test_what_passes_and_what_does_not(schema: dict[str, Any], good: Any, bad: Any) -> None:
    check_schema(schema)
    validate(schema, good)
    assert wrong(schema, bad)


def test_errors_have_their_places() -> None:
    schema = {"properties": {"a/b": {"items": {"type": "string"}}}, "required": ["c"]}
    assert set(wrong(schema, {"a/b": ["x", 1]})) == {"input", "input/a~1b/1"}


def test_a_pattern_takes_no_longer_than_its_text() -> None:
    schema = {"pattern": "^(a+)+$"}
    check_schema(schema)
    assert wrong(schema, "a" * 50_000 + "b")


def test_references_that_multiply_are_given_up() -> None:
    defs: dict[str, Any] = {"d0": {"type": "integer"}}
    for number in range(1, 40):
        same = {"$ref": f"#/$defs/d{number - 1}"}
        defs[f"d{number}"] = {"anyOf": [same, same]}
    schema = {"$defs": defs, "$ref": "#/$defs/d39"}
    with pytest.raises(Invalid, match="takes too long"):
        check_schema(schema)


def test_a_long_list_of_objects_is_soon_compared() -> None:
    schema = {"uniqueItems": True}
    validate(schema, [{"n": number} for number in range(50_000)])


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}])
def test_what_goes_round_in_a_circle_is_no_schema(schema: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="circle"):
        check_schema(schema)


def test_a_tree_may_refer_to_itself() -> None:
    schema = {"properties": {"child": {"$ref": "#"}}, "additionalProperties": False}
    check_schema(schema)
    value: Any = {}
    for _ in range(90):
        value = {"child": value}
    validate(schema, value)
    for _ in range(20):
        value = {"child": value}
    with pytest.raises(Invalid, match="100 levels"):
        validate(schema, value)


def test_depth() -> None:
    values: list[Any] = [1, [], [1], {"a": [[]]}, [[], [[1]]]]
    assert [depth_of(value) for value in values] == [0, 1, 1, 3, 3]
