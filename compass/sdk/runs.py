"""Runs: asked for once, followed through a server's restart, waited for."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from compass.sdk.drivers import D, Group, call, stream
from compass.sdk.errors import APIError, CompassError, RateLimited, StillRunning, Unreachable
from compass.sdk.exchange import (
    PAGE,
    Flow,
    Give,
    Pause,
    Repeat,
    Reply,
    Request,
    Stream,
    get,
    path_of,
    send,
    shape,
)
from compass.sdk.shapes import ENDS, Run, RunEvent, RunStatus, read

T = TypeVar("T")

# Seconds between two looks at a run: soon at first, less often while nothing happens.
SOONEST, LATEST = 0.1, 2.0
# How long a server may be away while a run is followed or waited for.
PATIENCE = 120.0
# How long a run is looked at, at the least, however short the timeout.
_ONE_LOOK = 1.0
# Statuses of a server, or of a proxy before it, that will be back.
_OUTAGES = {429, 502, 503, 504}

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


class Runs(Group[D]):
    """Runs of the project's workflows. Any key may start, read and cancel them."""

    @call
    def create(
        self,
        workflow: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 (what it is called everywhere)
        *,
        idempotency_key: str | None = None,
    ) -> Flow[Run]:
        """Starts a run of a workflow, given by name or id; returns at once, with it queued.

        However often this call has to be tried, it starts one run. An `idempotency_key` of your
        own extends that, for 24 hours, to calls of yours with the same key and input.
        """
        members = {"workflow": workflow, "input": {} if input is None else input}
        once = secrets.token_hex(16) if idempotency_key is None else idempotency_key
        if not _IDEMPOTENCY_KEY.fullmatch(once):
            raise ValueError("An idempotency key is 1 to 255 printable ASCII characters.")
        headers = {"Idempotency-Key": once}
        return self._ask(send("POST", path_of("runs"), members, headers=headers), shape(Run))

    @stream
    def list(self, *, status: RunStatus | None = None, workflow: str | None = None) -> Stream[Run]:
        """The project's runs, newest first; those of a status or a workflow alone, if given."""
        return self._pages("/v1/runs", Run, status=status, workflow=workflow)

    @call
    def get(self, run_id: str) -> Flow[Run]:
        """One run, as it is now."""
        return self._get(run_id)

    @stream
    def events(self, run_id: str, *, after: int = 0) -> Stream[RunEvent]:
        """What has happened in a run until now, from after the event with that `seq`."""
        while True:
            events = yield from self._events(run_id, after)
            if not events:
                return
            for event in events:
                yield Give(event)
            after = events[-1].seq

    @stream
    def follow(
        self, run_id: str, *, after: int = 0, patience: float = PATIENCE
    ) -> Stream[RunEvent]:
        """What happens in a run, as it happens, until it has ended.

        A server that is away is waited for, up to `patience` seconds, so that a run can be
        followed through its restart. So is one that answers 429, for as long as it says.
        """
        pause = SOONEST
        while True:
            events = yield from _through_outages(partial(self._events, run_id, after), patience)
            for event in events:
                yield Give(event)
                after = event.seq
                if event.type in ENDS:
                    return
            pause = SOONEST if events else min(LATEST, pause * 1.5)
            yield Pause(pause)

    @call
    def wait(
        self, run_id: str, timeout: float | None = None, *, patience: float = PATIENCE
    ) -> Flow[Run]:
        """The run once it has ended, whether it succeeded, failed or was cancelled.

        Raises StillRunning after `timeout` seconds; the run goes on then. A server that is away
        is waited for, up to `patience` seconds.
        """
        deadline = None if timeout is None else monotonic() + timeout
        pause, run = SOONEST, None
        while True:
            asking = _through_outages(partial(self._get, run_id), patience)
            # Looked at once in any case: a timeout of 0 asks whether it has ended.
            until = deadline if run or deadline is None else max(deadline, monotonic() + _ONE_LOOK)
            try:
                run = yield from _until(until, asking)
            except _TooLate:
                break
            if run.is_finished:
                return run
            if deadline is not None and monotonic() >= deadline:
                break
            left = LATEST if deadline is None else max(0.0, deadline - monotonic())
            yield Pause(min(pause, left))
            pause = min(LATEST, pause * 1.5)
        seen = f"is {run.status} after" if run else "could not be looked at within"
        raise StillRunning(f"The run {run_id} {seen} {timeout:g} s.", run)

    @call
    def cancel(self, run_id: str) -> Flow[Run]:
        """Cancels a run: at once while it is queued, before its next step while it is running.
        Raises Conflict for one that has ended."""
        request = Request("POST", path_of("runs", run_id, "cancel"), repeat=Repeat.UNTAKEN)
        return self._ask(request, shape(Run))

    def _get(self, run_id: str) -> Flow[Run]:
        return self._ask(get(path_of("runs", run_id)), shape(Run))

    def _events(self, run_id: str, after: int) -> Flow[tuple[RunEvent, ...]]:
        return self._ask(get(path_of("runs", run_id, "events"), after=after, limit=PAGE), _events)


def _events(body: Any) -> tuple[RunEvent, ...]:
    return tuple(read(RunEvent, item) for item in body["items"])


def _through_outages(ask: Callable[[], Flow[T]], patience: float) -> Flow[T]:
    """Asks until there is an answer, or the server has been away for too long."""
    gone_since: float | None = None
    while True:
        try:
            return (yield from ask())
        except (Unreachable, APIError) as error:
            trouble: CompassError = error
        asked = trouble.retry_after if isinstance(trouble, APIError) else None
        if isinstance(trouble, RateLimited) and asked is not None:
            # It is there, and says when to come back.
            gone_since = None
            yield Pause(max(1.0, asked))
            continue
        if isinstance(trouble, APIError) and trouble.status not in _OUTAGES:
            raise trouble
        now = monotonic()
        gone_since = gone_since or now
        left = gone_since + patience - now
        if left <= 0:
            raise trouble
        yield Pause(min(max(1.0, asked or 0.0), max(1.0, left)))


class _TooLate(Exception):  # noqa: N818 (what it says)
    """A deadline has passed while something was asked for."""


def _until(deadline: float | None, flow: Flow[T]) -> Flow[T]:
    """The same, with nothing begun after the deadline, nor going on for much longer."""
    reply: Reply = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result
        if deadline is not None:
            left = deadline - monotonic()
            if left <= 0:
                flow.close()
                raise _TooLate
            if isinstance(step, Pause):
                step = Pause(min(step.seconds, left))
            else:
                step = replace(step, timeout=left)
        reply = yield step
