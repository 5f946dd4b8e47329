"""`{{ … }}`: what it gives, and what it can't do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compass.server.core.expressions import ExpressionError, render, render_text

CONTEXT = {
    "input": {"day": "2026-11-01", "n": 3, "sly": "{{ steps.secret }}", "list": list(range(1000))},
    "steps": {"orders": {"rows": [{"n": 7}, {"n": 8}]}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ input.day }}", "2026-11-01"),
        ("{{ input.n }}", 3),
        ("{{input.n}}", 3),
        ("{{ steps.orders.rows[0] }}", {"n": 7}),
        ("{{ steps.orders.rows[*].n }}", [7, 8]),
        ("{{ input.none }}", None),
        ("{{ input.n }} orders on {{ input.day }}", "3 orders on 2026-11-01"),
        ("rows: {{ steps.orders.rows }}", 'rows: [{"n":7},{"n":8}]'),
        ("{{ {a: {b: input.n}} }}", {"a": {"b": 3}}),
        ("{{ {a: {b: input.n}} }} x", '{"a":{"b":3}} x'),
        ("no expression } here", "no expression } here"),
        ("{ {input.n} }", "{ {input.n} }"),
        # What is put in is data.
        ("{{ input.sly }}", "{{ steps.secret }}"),
        ("a {{ input.sly }}", "a {{ steps.secret }}"),
        ("{{ '{{ input.n }}' }}", "{{ input.n }}"),
    ],
)
def test_what_it_gives(text: str, value: Any) -> None:
    assert render(text, CONTEXT) == value
    assert render({"a": [text, 1]}, CONTEXT) == {"a": [value, 1]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ input. }}", "is no JMESPath"),
        ("{{ }}", "is no JMESPath"),
        ("{{ input", "is never closed"),
        ("{{ nonsense(input) }}", "can't be worked out"),
        ("{{ length(input.n) }}", "can't be worked out"),
        ("{{ " + "(" * 900 + " }}", "is no JMESPath"),
        ("{{ " + "|".join(["[@,@]"] * 60) + " }}", "too l"),
        ("{{ " + "|".join(["[@,@][]"] * 60) + " }}", "too l"),
        ("{{ " + "|".join(["[input.list,input.list][][]"] + ["[@,@][]"] * 60) + " }}", "too l"),
        ("{{ 'x' " + "| join('', [@,@])" * 50 + " }}", "too l"),
        ("{{ input.list[*].[@,@]" + " | [*][*].[@,@]" * 40 + " }}", "too l"),
    ],
)
def test_what_it_can_not_do(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        render(text, CONTEXT)


def test_many_small_ones_are_too_much_together() -> None:
    with pytest.raises(ExpressionError, match="too l"):
        render(["{{ input.list }}"] * 2000, CONTEXT)


def test_in_a_path_each_is_encoded_by_itself() -> None:
    assert render_text("/a/{{ input.n }}/{{ '../x' }}", CONTEXT, lambda t: f"<{t}>") == (
        "/a/<3>/<../x>"
    )


@given(st.text())
def test_any_text_gives_something_or_an_error_of_ours(text: str) -> None:
    try:
        render(text, CONTEXT)
    except ExpressionError as error:
        assert str(error)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_whatever_is_put_in_comes_out_as_it_was(value: Any) -> None:
    assert render("{{ input }}", {"input": value, "steps": {}}) == value
