"""What the environment says of proxies and certificates: obeyed, or told in a sentence."""

from pathlib import Path

import pytest

from compass import AsyncCompass, Compass, CompassError
from tests.sdk.awaiting import finished
from tests.sdk.proxy import Proxy
from tests.sdk.test_keys import KEY
from tests.world import World

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("proxied_by", ["socks5://127.0.0.1:1", "http://127.0.0.1:1", "odd://x"])
def test_no_proxy_whatever_it_is_counts_for_this_machine(
    proxied_by: str, world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxied_by)
    secret, _ = world.key()
    with Compass(secret, proxy.url) as client:
        assert client.me().project.name == "Default"
    other = proxy.url.replace("127.0.0.1", "localhost")
    with Compass(secret, other) as client:
        assert client.me().project.name == "Default"

    async def work() -> str:
        async with AsyncCompass(secret, proxy.url) as client:
            return (await client.me()).project.name

    assert finished(work()) == "Default"


@pytest.mark.parametrize("client", [Compass, AsyncCompass])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            "socks5://user:hunter2@x:1080",
            r"ALL_PROXY names a SOCKS proxy.*httpx\[socks",
        ),
        ("odd://hunter2", "is no address of one"),
    ],
)
def test_a_proxy_that_can_not_be_used_is_told(
    client: type[Compass] | type[AsyncCompass],
    value: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(CompassError, match=words) as caught:
        client(KEY, "https://compass.example")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "https://compass.example"])
def test_certificates_that_are_not_there_are_told(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, words in ((tmp_path / "nope", "doesn't exist"), (tmp_path / "empty", "has no cert")):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with pytest.raises(CompassError, match=f"SSL_CERT_FILE names .*, which {words}"):
            Compass(KEY, address)
        (tmp_path / "empty").write_text("nothing")
