"""Names and addresses as people type them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compass.server.core.errors import Invalid
from compass.server.core.ids import new_id
from compass.server.core.text import clean_email, clean_name


def name(value: str) -> str:
    return clean_name(value, "name", "the key")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  CI Pipeline \n", "CI Pipeline"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("x" * 80, "x" * 80),
        ("<b>&amp;", "<b>&amp;"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("שלום", "שלום"),
        ("same\u200d", "same"),
        ("\u200c same \u200d ", "same"),
    ],
)
def test_names_are_trimmed_and_composed(typed: str, kept: str) -> None:
    assert name(typed) == kept


@pytest.mark.parametrize(
    "typed", ["", "   ", "\u200d", "\u200c \u200d", "\t\n", "\u3164", "\u2800", "\ufe0f"]
)
def test_a_name_is_needed(typed: str) -> None:
    with pytest.raises(Invalid, match="Give the key a name"):
        name(typed)


@pytest.mark.parametrize(
    "char", ["\0", "\x1b", "\x7f", "\u202e", "\u2066", "\u200f", "\ufeff", "\u200b", "\u2028"]
)
def test_what_can_not_be_seen_is_refused(char: str) -> None:
    with pytest.raises(Invalid, match=f"U\\+{ord(char):04X}"):
        name(f"a{char}b")


def test_a_name_has_at_most_80_characters() -> None:
    with pytest.raises(Invalid, match="at most 80 characters for the name; this has 81"):
        name("x" * 81)


def test_a_key_is_not_a_name() -> None:
    with pytest.raises(Invalid, match="keys are secret") as caught:
        name("compass_sa_00000000000000000000000000000000000000004OSWh2")
    assert "0000" not in str(caught.value)


@given(st.text(max_size=120))
def test_a_name_is_kept_or_refused_and_never_changes_again(typed: str) -> None:
    try:
        kept = name(typed)
    except Invalid:
        return
    assert 1 <= len(kept) <= 80
    assert name(kept) == kept == unicodedata.normalize("NFC", kept)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [(" Ada@Example.ORG ", "ada@example.org"), ("root@localhost", "root@localhost")],
)
def test_addresses_are_case_folded(typed: str, kept: str) -> None:
    assert clean_email(typed) == kept


@pytest.mark.parametrize("typed", ["", "ada", "@x", "ada@", "a b@c", "a\u202e@b", "x" * 255 + "@y"])
def test_addresses_that_are_none_are_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        clean_email(typed)


def test_ids_sort_by_creation() -> None:
    ids = [new_id("key") for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert [i[:15] for i in ids] == sorted(i[:15] for i in ids)
