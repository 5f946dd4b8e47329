"""Runs: asked for once, followed to their end, by both clients."""

import asyncio
import pickle
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from compass import (
    APIError,
    AsyncCompass,
    Compass,
    Conflict,
    Invalid,
    NotFound,
    Run,
    RunEvent,
    ServerError,
    StillRunning,
    Unreachable,
)
from compass.sdk import exchange, runs
from compass.server.core.run_models import Run as StoredRun
from tests.sdk.awaiting import finished
from tests.sdk.conftest import Served, make_key
from tests.sdk.proxy import (
    DROP,
    TAKE_AND_502,
    TAKE_AND_DROP,
    Misbehaviour,
    Proxy,
    answering,
    problem,
)
from tests.servers import START_WITHIN_SECONDS, free_port, serving, wait_until
from tests.target import Target, a_target
from tests.work import ECHO, Work
from tests.world import World

Connect = Callable[[str], Compass]


@pytest.fixture
def work(world: World) -> Work:
    work = Work(world)
    work.write()
    return work


@pytest.fixture
def client(work: Work, connect: Connect) -> Compass:
    return connect(work.key)


@pytest.fixture
def proxied(work: Work, proxy: Proxy) -> Iterator[Compass]:
    with Compass(work.key, proxy.url) as client:
        yield client


# Asked for, in this process: nobody carries them out here.


def test_a_run_is_asked_for_and_read(work: Work, client: Compass) -> None:
    run = client.runs.create("echo", {"word": "hello"})
    assert (run.status, run.input, run.output, run.error) == (
        "queued",
        {"word": "hello"},
        None,
        None,
    )
    assert (run.workflow.name, run.workflow.version) == ("echo", 1)
    assert (run.started_by.type, run.started_by.id) == ("key", work.key_id)
    assert not run.is_finished
    assert client.runs.get(run.id) == run
    assert [event.type for event in client.runs.events(run.id)] == ["queued"]


def test_a_workflow_is_given_by_its_id_too(client: Compass) -> None:
    (workflow,) = client.workflows.list()
    assert client.runs.create(workflow.id).input == {}


def test_runs_are_listed_by_status_and_workflow(work: Work, client: Compass) -> None:
    work.write(name="other")
    first, second = client.runs.create("echo"), client.runs.create("other")
    client.runs.cancel(first.id)
    assert [run.id for run in client.runs.list()] == [second.id, first.id]
    assert [run.id for run in client.runs.list(status="cancelled")] == [first.id]
    assert [run.id for run in client.runs.list(workflow="other")] == [second.id]
    assert list(client.runs.list(status="queued", workflow="echo")) == []


def test_a_cancelled_run_has_ended(client: Compass) -> None:
    run = client.runs.create("echo")
    cancelled = client.runs.cancel(run.id)
    assert cancelled.status == "cancelled"
    assert cancelled.is_finished
    with pytest.raises(Conflict):
        client.runs.cancel(run.id)
    assert client.runs.wait(run.id) == cancelled
    assert [event.type for event in client.runs.follow(run.id)][-1] == "cancelled"


def test_what_cannot_be_run_is_told(client: Compass) -> None:
    with pytest.raises(NotFound):
        client.runs.create("no-such-workflow")
    with pytest.raises(Invalid) as caught:
        client.runs.create("echo", {"word": 7})
    assert set(caught.value.errors) == {"/input/word"}
    for call in (client.runs.get, client.runs.cancel, client.runs.wait):
        with pytest.raises(NotFound):
            call("run_00000000000000000000000")
    with pytest.raises(NotFound):
        next(client.runs.follow("run_00000000000000000000000"))


def test_what_json_has_no_word_for_is_not_sent(client: Compass) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        client.runs.create("echo", {"word": float("nan")})
    with pytest.raises(TypeError):
        client.runs.create("echo", {"word": object()})


def test_events_go_on_after_one_that_is_known(
    client: Compass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "PAGE", 1)
    run = client.runs.create("echo")
    client.runs.cancel(run.id)
    events = list(client.runs.events(run.id))
    assert [event.type for event in events] == ["queued", "cancel_requested", "cancelled"]
    assert list(client.runs.events(run.id, after=events[0].seq)) == events[1:]
    assert list(client.runs.follow(run.id, after=events[1].seq)) == events[2:]


def test_waiting_ends_with_its_timeout(client: Compass) -> None:
    run = client.runs.create("echo")
    with pytest.raises(StillRunning, match=r"is queued after 0\.05 s") as caught:
        client.runs.wait(run.id, timeout=0.05)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.run is not None
    assert caught.value.run.id == run.id


def test_its_timeout_counts_while_the_server_is_away(proxied: Compass, proxy: Proxy) -> None:
    run = proxied.runs.create("echo")
    proxy.next = [DROP] * 10_000
    with pytest.raises(StillRunning, match=r"could not be looked at within 0\.1 s") as caught:
        proxied.runs.wait(run.id, timeout=0.1)
    assert caught.value.run is None
    assert pickle.loads(pickle.dumps(caught.value)).run is None
    proxy.next = []
    with pytest.raises(StillRunning, match="is queued after"):
        proxied.runs.wait(run.id, timeout=0.1)


def test_nothing_that_is_asked_outlasts_the_timeout(work: Work) -> None:
    """Of each attempt the driver is told how long it may take, and no pause is longer."""
    client = Compass(work.key, "http://compass.test")
    flow = runs.Runs.wait._describe(client.runs, "run_0", timeout=3)
    step = next(flow)
    for _ in range(20):
        if isinstance(step, exchange.Request):
            assert step.timeout is not None
            assert 0 < step.timeout <= 3
            assert client._driver.session.timeout_of(step) <= 3
            step = flow.send(exchange.Lost("no route", sent=False))
        else:
            assert isinstance(step, exchange.Pause)
            assert step.seconds <= 3
            step = next(flow)
    client.close()


def test_a_look_is_taken_however_short_the_timeout(client: Compass) -> None:
    run = client.runs.create("echo")
    with pytest.raises(StillRunning, match="is queued after 0 s"):
        client.runs.wait(run.id, timeout=0)
    client.runs.cancel(run.id)
    assert client.runs.wait(run.id, timeout=0).status == "cancelled"


def test_a_limit_is_waited_for_while_a_run_is_followed(proxied: Compass, proxy: Proxy) -> None:
    """Whoever watches many runs meets it, and no run is lost from sight for it."""
    run = proxied.runs.create("echo")
    for words in ("", problem(429, "rate_limited")):
        kind = "application/problem+json" if words else "text/html"
        limit = answering(429, words, Retry_After="300", Content_Type=kind)
        proxy.next = [limit]
        flow = runs.Runs.follow._describe(proxied.runs, run.id, patience=0)
        asked = next(flow)
        assert isinstance(asked, exchange.Request)
        paused = flow.send(proxied._driver._do(asked))
        assert paused == exchange.Pause(300)
        assert isinstance(next(flow), exchange.Request)


def test_a_short_limit_is_over_soon(proxied: Compass, proxy: Proxy) -> None:
    run = proxied.runs.create("echo")
    proxied.runs.cancel(run.id)
    proxy.next = [answering(429, Retry_After="0")] * 4
    assert proxied.runs.wait(run.id, patience=0).status == "cancelled"
    proxy.next = [answering(429, Retry_After="0")] * 4
    assert [event.type for event in proxied.runs.follow(run.id, patience=0)][-1] == "cancelled"


# Asked for once, through a proxy that misbehaves.


@pytest.mark.parametrize("trouble", [DROP, TAKE_AND_DROP, TAKE_AND_502, answering(503)])
def test_however_often_it_is_tried_it_is_one_run(
    trouble: Misbehaviour, world: World, proxied: Compass, proxy: Proxy
) -> None:
    proxy.next = [trouble, trouble]
    run = proxied.runs.create("echo", {"word": "hello"})
    assert world.count(StoredRun) == 1
    assert proxied.runs.get(run.id) == run
    assert proxy.calls[:3] == ["POST /v1/runs"] * 3
    assert len({headers["Idempotency-Key"] for _, _, headers in proxy.seen[:3]}) == 1


def test_each_call_is_a_run_of_its_own(world: World, proxied: Compass) -> None:
    assert proxied.runs.create("echo").id != proxied.runs.create("echo").id
    assert world.count(StoredRun) == 2


def test_an_idempotency_key_of_ones_own(client: Compass) -> None:
    run = client.runs.create("echo", {"word": "a"}, idempotency_key="report-2026-11-01")
    again = client.runs.create("echo", {"word": "a"}, idempotency_key="report-2026-11-01")
    assert again == run
    with pytest.raises(Conflict):
        client.runs.create("echo", {"word": "b"}, idempotency_key="report-2026-11-01")
    for odd in ("", " ", "a\n", "ä", "x" * 256):
        with pytest.raises(ValueError, match="printable ASCII"):
            client.runs.create("echo", idempotency_key=odd)


def test_a_cancellation_that_may_have_been_taken_is_not_repeated(
    proxied: Compass, proxy: Proxy
) -> None:
    run = proxied.runs.create("echo")
    proxy.next = [TAKE_AND_DROP]
    with pytest.raises(Unreachable, match="may have been carried out"):
        proxied.runs.cancel(run.id)
    assert proxied.runs.get(run.id).status == "cancelled"


def test_a_server_that_stays_away_is_given_up_on(proxied: Compass, proxy: Proxy) -> None:
    run = proxied.runs.create("echo")
    proxy.next = [answering(503)] * 30
    with pytest.raises(ServerError):
        list(proxied.runs.follow(run.id, patience=0))
    proxy.next = [DROP] * 30
    with pytest.raises(Unreachable):
        proxied.runs.wait(run.id, patience=0)
    proxy.next = [answering(500)]
    with pytest.raises(APIError):
        proxied.runs.wait(run.id)


def test_a_server_that_comes_back_is_gone_on_with(proxied: Compass, proxy: Proxy) -> None:
    run = proxied.runs.create("echo")
    proxied.runs.cancel(run.id)
    proxy.next = [answering(503)] * 3
    assert [event.type for event in proxied.runs.follow(run.id)][-1] == "cancelled"
    proxy.next = [DROP] * 3
    assert proxied.runs.wait(run.id).status == "cancelled"


# Carried out, by a server and its worker.


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


@pytest.fixture(scope="module")
def written(served: Served, target: Target) -> Served:
    write(served.admin, served.url, target)
    return served


def write(admin: str, url: str, target: Target) -> None:
    """Workflows that succeed, fail, and take until the target is released."""
    with Compass(admin, url) as client:
        client.connections.create("target", "http", {"base_url": target.url}, {"auth": "none"})
        client.workflows.create(**ECHO)
        fails = {**ECHO["steps"][0], "query": {"status": "404"}}
        client.workflows.create("fails", [fails])
        lasts = {**ECHO["steps"][0], "query": {"slow": "60"}, "timeout": 60}
        client.workflows.create("lasts", [lasts], output=ECHO["output"])


def test_from_the_call_to_the_output(written: Served) -> None:
    with Compass(written.member, written.url) as client:
        run = client.runs.create("echo", {"word": "hello"})
        types = [event.type for event in client.runs.follow(run.id)]
        done = client.runs.wait(run.id)
    assert types == ["queued", "started", "step_started", "step_succeeded", "succeeded"]
    assert (done.status, done.output) == ("succeeded", {"status": 200})
    assert done.is_finished
    assert done.started_at is not None
    assert done.finished_at is not None
    assert done.created_at <= done.started_at <= done.finished_at


def test_from_the_call_to_the_output_awaited(written: Served) -> None:
    async def work() -> tuple[list[RunEvent], tuple[Run, Run]]:
        async with AsyncCompass(written.member, written.url) as client:
            first, second = await asyncio.gather(
                client.runs.create("echo"), client.runs.create("echo")
            )
            events = [event async for event in client.runs.follow(first.id)]
            done = await asyncio.gather(client.runs.wait(first.id), client.runs.wait(second.id))
            assert [each async for each in client.runs.events(first.id)] == events
            return events, done

    events, done = finished(work())
    assert events[-1].type == "succeeded"
    assert [run.output for run in done] == [{"status": 200}] * 2


def test_a_run_that_failed_is_returned_too(written: Served) -> None:
    with Compass(written.member, written.url) as client:
        run = client.runs.wait(client.runs.create("fails").id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.step == "say"
    assert run.error.code
    assert "404" in run.error.message


class Counting(httpx.HTTPTransport):
    """A transport that counts how often nobody was there."""

    refused = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except httpx.ConnectError:
            self.refused += 1
            raise


def test_a_run_is_followed_through_a_restart_of_the_server(tmp_path: Path) -> None:
    home, port, counting, over = tmp_path / "home", free_port(), Counting(), Event()

    def come_back(target: Target) -> None:
        wait_until(lambda: counting.refused > 0)
        with serving(home, port=port):
            target.released.set()
            over.wait(START_WITHIN_SECONDS)

    with a_target() as target, ExitStack() as stack:
        with serving(home, port=port) as server:
            key = make_key(home, "Admin", "admin")
            write(key, server.url, target)
            client = stack.enter_context(Compass(key, server.url, transport=counting))
            run = client.runs.create("lasts")
            events = client.runs.follow(run.id)
            types = [next(events).type for _ in range(3)]
            assert types == ["queued", "started", "step_started"]
        server_again = Thread(target=come_back, args=(target,))
        server_again.start()
        stack.callback(server_again.join)
        stack.callback(over.set)
        types += [event.type for event in events]
        assert "handed_back" in types
        assert types[-1] == "succeeded"
        assert client.runs.wait(run.id).output == {"status": 200}
        assert counting.refused > 0
