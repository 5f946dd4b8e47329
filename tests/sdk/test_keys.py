"""A key is looked at before any call: what is around it comes off, what can't be one is refused."""

import pytest

from compass import Compass, MalformedKey, MissingKey
from compass.sdk import keys
from compass.server.core import tokens

VECTORS = [
    "compass_sa_00000000000000000000000000000000000000004OSWh2",
    "compass_pat_0123456789ABCDEFGHIJabcdefghijKLMNOPQRST4Fqx5K",
    "compass_sa_zZyYxXwWvVuUtTsSrRqQpPoOnNmMlLkKjJiIhHgG4ZTAvR",
    "compass_pat_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0PaEsj",
]
KEY = VECTORS[2]


@pytest.mark.parametrize("key", VECTORS)
def test_it_says_of_a_key_what_the_server_says(key: str) -> None:
    for text in (key, key[:-1], key + "a", key.swapcase(), key[:-1] + "0", "", "compass_sa_"):
        assert (keys.complaint(text) is None) is tokens.is_well_formed(text)
    assert keys.hint(key) == tokens.hint(key)
    assert keys.mask(f"x%3D{key}\\n") == tokens.mask(f"x%3D{key}\\n")
    assert keys.PATTERN.pattern == tokens.PATTERN.pattern


@pytest.mark.parametrize(
    ("around", "told"),
    [
        ("{}\n", ("a line end",)),
        ("{}\r\n", ("a line end",)),
        ("  {}\t", ("blanks",)),
        ('"{}"', ("quotes",)),
        ("'{}'\n", ("a line end", "quotes")),
        ("\ufeff{}", ("a byte order mark",)),
        ("“{}”", ("quotes",)),
        ("Bearer {}", ("blanks", "the word Bearer")),
        ("{}", ()),
    ],
)
def test_what_is_around_a_key_comes_off_and_is_told(around: str, told: tuple[str, ...]) -> None:
    cleaned = keys.clean(around.format(KEY))
    assert cleaned.key == KEY
    assert cleaned.stripped == told
    assert KEY not in repr(cleaned)


@pytest.mark.parametrize("text", [f"{KEY}\n", f"{KEY}\r\n", f'"{KEY}"', f" {KEY} ", f"\ufeff{KEY}"])
def test_a_key_from_the_environment_is_cleaned(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPASS_API_KEY", text)
    with Compass() as client:
        assert client.key_hint == "compass_sa_zZyY…TAvR"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (KEY[:-1], "cut off: 1 of its characters"),
        (KEY[:-20], "cut off: 20 of its characters"),
        (KEY + KEY[-1], "too long, by 1"),
        (KEY[:-1] + "S", "its checksum is wrong"),
        (KEY.replace("zZ", "Zz"), "its checksum is wrong"),
        (KEY.replace("zZ", "z-"), "letters and digits alone"),
        (f"{KEY} {KEY}", "letters and digits alone"),
        ("sk_live_0123456789", "no Compass key"),
        ("schlüssel-für-compass", "no Compass key"),
    ],
)
def test_a_mistyped_key_is_refused_without_a_call(key: str, words: str) -> None:
    # At this address nobody could answer.
    with pytest.raises(MalformedKey, match=words) as caught:
        Compass(key, "http://127.0.0.1:1")
    assert (caught.value.status, caught.value.code) == (401, "invalid_token")
    assert "api_key" in str(caught.value)
    assert key not in str(caught.value)
    assert key[11:] not in str(caught.value)


def test_where_the_mistyped_key_comes_from_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPASS_API_KEY", KEY[:-3])
    with pytest.raises(MalformedKey, match="COMPASS_API_KEY"):
        Compass()


@pytest.mark.parametrize("text", [None, "", "  \n", '""'])
def test_a_variable_that_is_empty_counts_as_unset(
    text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        monkeypatch.setenv("COMPASS_API_KEY", text)
    with pytest.raises(MissingKey, match="Set COMPASS_API_KEY, or give api_key"):
        Compass()


def test_an_empty_argument_is_told_rather_than_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever passes an empty setting on does not mean the key of the environment."""
    monkeypatch.setenv("COMPASS_API_KEY", KEY)
    with pytest.raises(MissingKey, match="api_key is empty"):
        Compass("")


def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPASS_API_KEY", KEY)
    monkeypatch.setenv("COMPASS_BASE_URL", "https://one.example.org")
    with Compass(VECTORS[0], "https://other.example.org") as client:
        assert client.key_hint == "compass_sa_0000…SWh2"
        assert client.base_url == "https://other.example.org"


def test_keys_are_found_in_texts_by_their_checksum() -> None:
    text = f"{KEY[:-1]}S KEY=\\n{KEY}, {VECTORS[1]}"
    assert [match.group() for match in keys.find(text)] == [KEY, VECTORS[1]]
