"""The base URL does what a person hopes, or says what is wrong."""

import pytest

from compass import Compass, CompassError
from tests.sdk.test_keys import KEY


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("https://example.org/compass/", "https://example.org/compass"),
        ("https://example.org/v1", "https://example.org"),
        ("https://example.org/compass/v1/", "https://example.org/compass"),
        (" 'https://example.org'\r\n", "https://example.org"),
        ("HTTPS://example.org", "https://example.org"),
        ("example.org", "https://example.org"),
        ("example.org:8443/", "https://example.org:8443"),
        ("localhost:8000", "http://localhost:8000"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("https://bücher.example", "https://bücher.example"),
        ("http://compass_1.internal.:80", "http://compass_1.internal.:80"),
        # Not this machine, whatever it begins with.
        ("localhost.example.org", "https://localhost.example.org"),
        ("", "http://127.0.0.1:8000"),
        (" \n", "http://127.0.0.1:8000"),
        ('""', "http://127.0.0.1:8000"),
    ],
)
def test_it_is_taken_as_it_was_meant(
    given: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPASS_BASE_URL", given)
    with Compass(KEY) as client:
        assert client.base_url == meant


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ftp://example.org", "is no web address"),
        ("http://", "is no web address"),
        ("http:/example.org", "is no web address"),
        ("http://example.org:99999", "is no address"),
        ("http://[::1", "is no address"),
        ("http://example..org", "is no address"),
        (f"http://{'a' * 64}.example", "is no address"),
        ("http://\udcff", "is no address"),
        ("http://xn--", "is no web address"),
        ("http://exam%20ple.org", "is no web address"),
        ("http://<host>", "is no web address"),
        ("http://example.org/\udcff", "at scheme, host and path"),
        ("http://example.org/a\x07", "at scheme, host and path"),
        ("https://user:hunter2@example.org", "Leave user and password out"),
        ("https://example.org?a=b", "at scheme, host and path"),
        ("https://example.org/#top", "at scheme, host and path"),
        ("https://exam ple.org", "is no web address"),
        (KEY, "holds a key"),
        (f"https://example.org/{KEY}", "holds a key"),
    ],
)
def test_what_is_no_address_is_told(given: str, words: str) -> None:
    with pytest.raises(CompassError, match=words) as caught:
        Compass(KEY, given)
    assert "hunter2" not in str(caught.value)
    assert KEY not in str(caught.value)
