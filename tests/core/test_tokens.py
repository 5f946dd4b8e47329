"""Section 5: the shape of a key. The vectors are the contract's."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compass.server.core import tokens

VECTORS = {
    "compass_sa_00000000000000000000000000000000000000004OSWh2": (
        "7a6cec929c5197742969b31eb114abfe0eeffe25ea40ecbf550425f20f19290c"
    ),
    "compass_pat_0123456789ABCDEFGHIJabcdefghijKLMNOPQRST4Fqx5K": (
        "5a1612236fc00e33af20039960d0c40a7baab2b91b7835400738712978968fe2"
    ),
    "compass_sa_zZyYxXwWvVuUtTsSrRqQpPoOnNmMlLkKjJiIhHgG4ZTAvR": (
        "c5c4085a833c747f0e2fdea9069b75cf502bc6f5431c8c88c3d7c0ae7ead819d"
    ),
    "compass_pat_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0PaEsj": (
        "99f1e9fe66bac1770375ecd879cfef95c5c6df5a05ba947389208abe9514f1c2"
    ),
}

types = st.sampled_from(sorted(tokens.PREFIXES))


@pytest.mark.parametrize(("token", "digest"), VECTORS.items())
def test_the_contracts_vectors_hold(token: str, digest: str) -> None:
    assert tokens.is_well_formed(token)
    assert tokens.digest(token) == digest == hashlib.sha256(token.encode()).hexdigest()


@given(types)
def test_a_minted_key_is_well_formed_and_new(key_type: str) -> None:
    token = tokens.mint(key_type)
    assert tokens.is_well_formed(token)
    assert token.startswith(tokens.PREFIXES[key_type])
    assert token != tokens.mint(key_type)


@given(types, st.integers(0, 200), st.characters())
def test_one_changed_character_is_noticed(key_type: str, place: int, char: str) -> None:
    token = tokens.mint(key_type)
    place %= len(token)
    changed = token[:place] + char + token[place + 1 :]
    assert tokens.is_well_formed(changed) == (changed == token)


@given(types, st.integers(0, 57))
def test_a_cut_off_key_is_noticed(key_type: str, length: int) -> None:
    token = tokens.mint(key_type)
    assert not tokens.is_well_formed(token[: min(length, len(token) - 1)])


@given(st.text(max_size=100))
def test_no_text_crashes_the_check(text: str) -> None:
    tokens.is_well_formed(text)
    assert tokens.mask(text) == text or "…" in tokens.mask(text)


@given(types, st.text(max_size=30), st.text(max_size=30))
def test_masking_leaves_the_hint_alone(key_type: str, before: str, after: str) -> None:
    token = tokens.mint(key_type)
    masked = tokens.mask(f"{before}{token}{after}")
    assert token not in masked
    assert tokens.hint(token) in masked


@pytest.mark.parametrize("around", ["\\n{}", "%3D{}", "x{}x", "'{}'", "key={};"])
def test_keys_are_found_without_word_boundaries(around: str) -> None:
    token = next(iter(VECTORS))
    assert tokens.PATTERN.search(around.format(token))


def test_the_hint_shows_four_and_four() -> None:
    token = "compass_pat_0123456789ABCDEFGHIJabcdefghijKLMNOPQRST4Fqx5K"
    assert tokens.hint(token) == "compass_pat_0123…qx5K"
