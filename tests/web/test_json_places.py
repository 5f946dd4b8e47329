"""Where in a JSON text each value is, and what is said of a text that is no JSON."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compass.server.core.expressions import escaped
from compass.server.web import json_places
from compass.server.web.json_places import MalformedError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False,
    allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def pointers(value: Any, at: str = "") -> dict[str, Any]:
    found = {at: value}
    if isinstance(value, dict):
        for name, each in value.items():
            found |= pointers(each, f"{at}/{escaped(name)}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            found |= pointers(each, f"{at}/{number}")
    return found


@given(values, st.sampled_from([None, 0, 2]), st.booleans())
def test_every_value_is_found_where_it_is(value: Any, indent: int | None, ascii_: bool) -> None:
    text = "\n " + json.dumps(value, indent=indent, ensure_ascii=ascii_)
    assert json_places.read(text) == json.loads(text)
    lines, expected = json_places.places(text).lines, pointers(value)
    assert set(lines) == set(expected)
    rows = text.split("\n")
    for pointer, line in lines.items():
        row, name = rows[line - 1], pointer.rpartition("/")[2]
        if indent is None:
            assert line == 2
        elif pointer and isinstance(expected[pointer.rpartition("/")[0]], dict):
            plain = name.replace("~1", "/").replace("~0", "~")
            assert row.lstrip().startswith(json.dumps(plain, ensure_ascii=ascii_) + ":")
        else:
            start = json.dumps(expected[pointer], ensure_ascii=ascii_)[0]
            assert row.lstrip().startswith(start)


@given(st.text(st.sampled_from('{}[],:"\\ab1-.e tn\n/'), max_size=30))
def test_what_is_refused_is_what_the_key_door_refuses(text: str) -> None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        with pytest.raises(MalformedError) as raised:
            json_places.read(text)
        rows = text.split("\n")
        assert 1 <= raised.value.line <= len(rows)
        assert 1 <= raised.value.column <= len(rows[raised.value.line - 1]) + 1
        assert str(raised.value)
    else:
        json_places.read(text)
        json_places.places(text)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('{"a": 1\n "b": 2}', 1, 7, "Write a comma after this"),
        ('{"a": 1,\n}', 1, 8, "Leave out this comma"),
        ("[1,\n 2,\n]", 2, 3, "Leave out this comma"),
        ("{a: 1}", 1, 2, "double quotes"),
        ('{\n"a" 1}', 2, 5, "Write a colon"),
        ('{"a": }', 1, 7, "Write a value"),
        ('{"a": "b', 1, 7, "never closed"),
        ('{"a": "b\nc"}', 1, 9, "write \\n"),
        ('{"a": "\\d"}', 1, 8, "for a backslash"),
        ('{"a": 1}\n}', 2, 1, "has ended before"),
        ('{"a": NaN}', 1, 7, "no JSON"),
        ('{"a": "\\ud800"}', 1, 8, "no JSON"),
        ("[" * 2000 + "]" * 2000, 1, 1026, "no JSON"),
        ("1" * 5000, 1, 1, "no JSON"),
        ("", 1, 1, "Write a value"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(
    text: str, line: int, column: int, words: str
) -> None:
    with pytest.raises(MalformedError, match=words.replace("\\", "\\\\")) as raised:
        json_places.read(text)
    assert (raised.value.line, raised.value.column) == (line, column)


def test_a_name_that_is_there_twice_is_found() -> None:
    found = json_places.places('{"a": 1,\n "b": {"a": 1},\n "a": 2}')
    assert found.repeated == {"/a": 3}
    assert found.lines["/a"] == 3


def test_what_is_missing_is_where_it_is_missing_from() -> None:
    found = json_places.places('{"steps":\n [{},\n {"name": "x"}]}')
    assert found.line_of("/steps/1/connection") == 3
    assert found.line_of("/name") == 1
