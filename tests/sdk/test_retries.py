"""What is tried again, and what never is: over a real port, through a proxy that misbehaves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from limits import parse_many

from compass import AuthenticationError, Compass, Conflict, ServerError, Unreachable
from compass.sdk import exchange
from compass.server import create_app
from compass.server.config import Settings
from compass.server.core.models import Connection, KeySecret
from compass.server.core.tokens import mint
from tests.conftest import dispose
from tests.sdk.proxy import DROP, TAKE_AND_502, TAKE_AND_DROP, Misbehaviour, Proxy, answering
from tests.sdk.test_calls import BEARER, HTTP
from tests.world import World


@pytest.fixture
def client(world: World, proxy: Proxy) -> Iterator[Compass]:
    with Compass(world.key(role="admin")[0], proxy.url) as client:
        yield client


@pytest.mark.parametrize(
    "trouble",
    [DROP, TAKE_AND_DROP, TAKE_AND_502, *(answering(each) for each in (429, 502, 503, 504))],
)
def test_reading_is_tried_twice_again(trouble: Misbehaviour, client: Compass, proxy: Proxy) -> None:
    proxy.next = [trouble, trouble]
    assert client.me().role == "admin"
    assert proxy.calls == ["GET /v1/me"] * 3


def test_then_it_is_given_up(client: Compass, proxy: Proxy) -> None:
    proxy.next = [answering(503)] * 3
    with pytest.raises(ServerError):
        client.me()
    assert len(proxy.seen) == 3
    proxy.next = [DROP] * 3
    with pytest.raises(Unreachable, match="broke before an answer came"):
        client.me()
    assert len(proxy.seen) == 6


def test_max_retries_may_be_none_and_many(world: World, proxy: Proxy) -> None:
    secret, _ = world.key()
    proxy.next = [answering(503)]
    with Compass(secret, proxy.url, max_retries=0) as client, pytest.raises(ServerError):
        client.me()
    proxy.next = [answering(503)] * 5
    with Compass(secret, proxy.url, max_retries=5) as client:
        client.me()


def test_a_refusal_is_never_tried_again(world: World, proxy: Proxy) -> None:
    with Compass(mint("service_account"), proxy.url) as client, pytest.raises(AuthenticationError):
        client.me()
    assert len(proxy.seen) == 1


def test_a_server_error_that_is_no_outage_is_not_tried_again(client: Compass, proxy: Proxy) -> None:
    proxy.next = [answering(500)]
    with pytest.raises(ServerError):
        client.me()
    assert len(proxy.seen) == 1


def waits(reply: Misbehaviour, client: Compass, proxy: Proxy) -> list[float]:
    """The pauses that a call makes where the first answer is this one."""
    proxy.next = [reply]
    flow = exchange.ask(exchange.get("/v1/me"), exchange.nothing, 2)
    step = next(flow)
    paused: list[float] = []
    try:
        while True:
            if isinstance(step, exchange.Pause):
                paused.append(step.seconds)
                step = next(flow)
            else:
                step = flow.send(client._driver._do(step))
    except StopIteration:
        return paused


def test_retry_after_is_honoured(client: Compass, proxy: Proxy) -> None:
    (seconds,) = waits(answering(429, Retry_After="7"), client, proxy)
    assert 7 <= seconds < 8
    in_a_while = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    (seconds,) = waits(answering(503, Retry_After=in_a_while), client, proxy)
    assert 20 < seconds < 32
    (seconds,) = waits(answering(503, Retry_After="soon"), client, proxy)
    assert seconds < 1


def test_a_limit_of_the_real_server_is_waited_for(settings: Settings, world: World) -> None:
    limited = create_app(replace(settings, rate_limit=tuple(parse_many("1/second"))))
    transport = httpx.WSGITransport(app=limited)
    with Compass(world.key()[0], "http://compass.test", transport=transport) as client:
        assert [client.me().project.name for _ in range(3)] == ["Default"] * 3
    dispose(limited)


def test_a_server_that_wants_too_much_patience_is_given_up_on(
    client: Compass, proxy: Proxy
) -> None:
    proxy.next = [answering(503, Retry_After="3600")]
    with pytest.raises(ServerError):
        client.me()
    assert len(proxy.seen) == 1


def test_pauses_grow_and_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "FIRST_WAIT", 0.5)
    lost = exchange.Lost("", sent=False)
    for attempt, longest in ((0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)):
        seen = {exchange._wait(lost, attempt) or 0 for _ in range(20)}
        assert len(seen) > 1
        assert longest / 2 <= min(seen) <= max(seen) <= longest


@pytest.mark.parametrize("trouble", [TAKE_AND_DROP, TAKE_AND_502])
def test_what_may_have_been_created_is_not_created_again(
    trouble: Misbehaviour, world: World, client: Compass, proxy: Proxy
) -> None:
    proxy.next = [trouble]
    with pytest.raises((Unreachable, ServerError)):
        client.connections.create("chat", "http", HTTP, BEARER)
    assert world.count(Connection) == len(proxy.seen) == 1


def test_it_says_that_it_may_have_been_created(client: Compass, proxy: Proxy) -> None:
    proxy.next = [TAKE_AND_DROP]
    with pytest.raises(Unreachable, match="look before you repeat it"):
        client.connections.create("chat", "http", HTTP, BEARER)


def test_what_was_surely_not_created_is_tried_again(client: Compass, proxy: Proxy) -> None:
    proxy.next = [answering(429)]
    assert client.connections.create("chat", "http", HTTP, BEARER).name == "chat"
    assert len(proxy.seen) == 2


@pytest.mark.parametrize("trouble", [TAKE_AND_DROP, TAKE_AND_502])
def test_a_deletion_whose_answer_was_lost_is_a_deletion(
    trouble: Misbehaviour, client: Compass, proxy: Proxy
) -> None:
    made = client.connections.create("chat", "http", HTTP, BEARER)
    proxy.next = [trouble]
    client.connections.delete(made.id)
    assert proxy.calls[1:] == [f"DELETE /v1/connections/{made.id}"] * 2


@pytest.mark.parametrize("trouble", [TAKE_AND_DROP, TAKE_AND_502, DROP, answering(503)])
def test_a_rotation_is_never_tried_again(
    trouble: Misbehaviour, world: World, client: Compass, proxy: Proxy
) -> None:
    """The secret of a lost answer is lost; a second rotation would not bring it back."""
    before = world.count(KeySecret)
    proxy.next = [trouble]
    with pytest.raises((Unreachable, ServerError)):
        client.keys.rotate_self()
    assert len(proxy.seen) == 1
    assert world.count(KeySecret) == before + (trouble in (TAKE_AND_DROP, TAKE_AND_502))


def test_a_rotation_that_nobody_took_is_not_tried_again_either() -> None:
    request = exchange.send("POST", "/v1/keys/self/rotate", {}, exchange.Repeat.NEVER)
    flow = exchange.ask(request, exchange.nothing, 2)
    assert next(flow) is request
    with pytest.raises(Unreachable):
        flow.send(exchange.Lost("Connection refused", sent=False))


def test_a_revocation_is_tried_again(world: World, client: Compass, proxy: Proxy) -> None:
    _, key_id = world.key("Doomed")
    proxy.next = [TAKE_AND_DROP]
    assert client.keys.revoke(key_id).status == "revoked"
    assert len(proxy.seen) == 2


def test_a_replacement_is_tried_again(client: Compass, proxy: Proxy) -> None:
    client.connections.create("chat", "http", HTTP, BEARER)
    steps = [{"name": "say", "connection": "chat", "method": "GET", "path": "/hello"}]
    made = client.workflows.create("greet", steps)
    proxy.next = [TAKE_AND_DROP]
    assert client.workflows.replace(made.id, "hail", steps).name == "hail"


def test_a_conflict_is_told_at_once(client: Compass, proxy: Proxy) -> None:
    client.connections.create("chat", "http", HTTP, BEARER)
    with pytest.raises(Conflict):
        client.connections.create("chat", "http", HTTP, BEARER)
    assert len(proxy.seen) == 2
