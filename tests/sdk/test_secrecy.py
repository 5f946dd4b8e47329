"""No key in any output, repr, traceback or log, whatever happens."""

import logging
import pickle
import traceback
import warnings
from collections.abc import Callable

import pytest

from compass import AsyncCompass, Compass, CompassError, MalformedKey
from compass.sdk.drivers import Group
from tests.sdk.proxy import DROP, Proxy, answering
from tests.sdk.test_calls import BEARER, HTTP
from tests.servers import free_port
from tests.world import World

MISTYPED = "compass_sa_zZyYxXwWvVuUtTsSrRqQpPoOnNmMlLkKjJiIhHgG4ZTAv"

Spoil = Callable[[Compass, Proxy], None]


def revoked(client: Compass, proxy: Proxy) -> None:
    client.keys.revoke_self()
    client.me()


def malformed_answer(client: Compass, proxy: Proxy) -> None:
    proxy.next = [answering(200, "no JSON")]
    client.keys.rotate_self()


def echoing_answer(client: Compass, proxy: Proxy) -> None:
    """Whatever answers may say the key itself."""
    key = client._driver.session.key
    body = (
        f'{{"code": "x", "detail": "no: {key}", "request_id": "r", "errors": {{"/": ["{key}"]}}}}'
    )
    proxy.next = [answering(422, body, Content_Type="application/problem+json")]
    client.me()


def echoing_redirect(client: Compass, proxy: Proxy) -> None:
    key = client._driver.session.key
    proxy.next = [answering(302, Location=f"https://example.org/?key={key}")]
    client.me()


def dropped(client: Compass, proxy: Proxy) -> None:
    proxy.next = [DROP] * 3
    client.me()


def refused(client: Compass, proxy: Proxy) -> None:
    client.connections.create("chat", "http", HTTP, BEARER)


@pytest.mark.parametrize(
    "spoil",
    [revoked, malformed_answer, echoing_answer, echoing_redirect, dropped, refused],
)
def test_no_error_shows_a_key(
    spoil: Spoil, world: World, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    # What others put into their answers' headers, httpcore logs on its own at this level.
    caplog.set_level(logging.INFO if spoil is echoing_redirect else logging.DEBUG)
    secret, _ = world.key(days="3")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with Compass(secret, proxy.url) as client, pytest.raises(CompassError) as caught:
            spoil(client, proxy)
    error = caught.value
    # Neither is anything chained to it that holds a request.
    assert error.__cause__ is None
    assert error.__context__ is None
    # The frames of this library, and what they hold; not this test's, which holds the secret.
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    shown = [str(each.locals) for each in stack if "/compass/sdk/" in each.filename]
    assert shown
    outputs = [
        str(error), repr(error), repr(vars(error)), pickle.dumps(error).decode("latin-1"),
        *(str(each.message) for each in warned), caplog.text, *shown,
    ]  # fmt: skip
    for output in outputs:
        assert secret not in output
        assert secret[15:-4] not in output


def test_no_repr_shows_a_key(world: World, proxy: Proxy) -> None:
    secret, _ = world.key()
    with Compass(secret, proxy.url) as client:
        rotated = client.keys.rotate_self()
        groups = [each for each in vars(client).values() if isinstance(each, Group)]
        shown = [client, rotated, client._driver, client._driver.session, client._driver.http]
        shown += [*groups, client._driver.http.headers]
        for each in shown:
            for key in (secret, rotated.secret):
                assert key not in repr(each)
                assert key not in str(each)
        assert repr(client) == f"<Compass {client.key_hint} at {proxy.url}>"


def test_a_mistyped_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPASS_API_KEY", MISTYPED)
    with pytest.raises(MalformedKey) as caught:
        Compass()
    error = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    for text in (repr(caught.value), "".join(error.format())):
        assert MISTYPED[15:-4] not in text


@pytest.mark.parametrize("client", [Compass, AsyncCompass])
def test_no_frame_of_a_client_that_can_not_be_made_shows_a_key(
    client: type[Compass] | type[AsyncCompass], world: World
) -> None:
    """Error reporters collect the locals of every frame."""
    secret, _ = world.key()
    for key, address in ((MISTYPED, None), (f" {MISTYPED}", None), (secret, "ftp://x")):
        with pytest.raises(CompassError) as caught:
            client(key, address)
        stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        shown = [str(each.locals) for each in stack if "/compass/sdk/" in each.filename]
        assert shown
        assert not [each for each in shown if key.strip()[15:-4] in each]


def test_where_nobody_answers_no_key_is_shown(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret, _ = world.key()
    with (
        Compass(secret, f"http://127.0.0.1:{free_port()}") as client,
        pytest.raises(CompassError) as caught,
    ):
        client.me()
    assert caught.value.__context__ is None
    for text in (caplog.text, "".join(traceback.format_exception(caught.value))):
        assert secret not in text


def test_a_key_in_the_place_of_an_id_is_not_sent(world: World, proxy: Proxy) -> None:
    """In an address it would be in the log of every proxy on the way."""
    secret, _ = world.key(role="admin")
    with Compass(secret, proxy.url) as client:
        for call in (client.keys.get, client.keys.revoke, client.connections.delete):
            with pytest.raises(CompassError, match="It was not sent") as caught:
                call(secret)
            assert secret not in str(caught.value)
    assert not proxy.seen
