"""Who carries flows out: `Sync` and `Async`, alike but for the waiting.

A call is written once, as a method that returns a flow. `@call` and `@stream` make a method of it
that carries the flow out, by the driver of the group that it is in; to type checkers as well.
"""

import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from compass.sdk import transports
from compass.sdk.exchange import Flow, Give, Pause, Reader, Reply, Request, Stream, ask, pages
from compass.sdk.session import Session

# httpx and asyncio are imported where they are used: they take longer than all the rest, and
# neither `compass --help` nor a program that starts should wait for them.
if TYPE_CHECKING:
    import httpx

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])


class Sync:
    def __init__(self, session: Session, transport: "httpx.BaseTransport | None"):
        self.session = session
        self.http = transports.client(
            session.base_url, session.timeout, session.headers(), transport
        )

    def carry_out(self, flow: Flow[T]) -> T:
        reply: Reply = None
        try:
            while True:
                reply = self._do(flow.send(reply))
        except StopIteration as end:
            result: T = end.value
            return result

    def hand_out(self, stream: Stream[T]) -> Iterator[T]:
        reply: Reply = None
        while True:
            try:
                step = stream.send(reply)
            except StopIteration:
                return
            if isinstance(step, Give):
                reply = None
                yield step.item
            else:
                reply = self._do(step)

    def _do(self, step: Request | Pause) -> Reply:
        import httpx

        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            answer = self.http.request(
                step.method,
                step.path,
                params=step.query,
                content=step.content,
                headers=step.headers,
                timeout=self.session.timeout_of(step),
            )
        except httpx.RequestError as error:
            return self.session.lost(error)
        self.session.note(step, answer)
        return answer


class Async:
    def __init__(self, session: Session, transport: "httpx.AsyncBaseTransport | None"):
        self.session = session
        self.http = transports.async_client(
            session.base_url, session.timeout, session.headers(), transport
        )

    async def carry_out(self, flow: Flow[T]) -> T:
        reply: Reply = None
        try:
            while True:
                reply = await self._do(flow.send(reply))
        except StopIteration as end:
            result: T = end.value
            return result

    async def hand_out(self, stream: Stream[T]) -> AsyncIterator[T]:
        reply: Reply = None
        while True:
            try:
                step = stream.send(reply)
            except StopIteration:
                return
            if isinstance(step, Give):
                reply = None
                yield step.item
            else:
                reply = await self._do(step)

    async def _do(self, step: Request | Pause) -> Reply:
        import asyncio

        import httpx

        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            answer = await self.http.request(
                step.method,
                step.path,
                params=step.query,
                content=step.content,
                headers=step.headers,
                timeout=self.session.timeout_of(step),
            )
        except httpx.RequestError as error:
            return self.session.lost(error)
        self.session.note(step, answer)
        return answer


D = TypeVar("D", bound=Sync | Async)


class Group(Generic[D]):
    """Calls that belong together, with the driver that carries them out."""

    def __init__(self, driver: D):
        self._driver = driver

    def _ask(self, request: Request, reader: Reader[T]) -> Flow[T]:
        return ask(request, reader, self._driver.session.max_retries)

    def _pages(self, path: str, kind: type[T], **query: str | int | None) -> Stream[T]:
        return pages(path, kind, self._driver.session.max_retries, **query)


def _shown(describe: Callable[..., object]) -> Callable[[F], F]:
    """To help() and prompts: with the parameters of its description, which returns something
    else than what carries it out."""
    whole = inspect.signature(describe)
    _, *parameters = whole.parameters.values()
    own = whole.replace(parameters=parameters, return_annotation=inspect.Signature.empty)

    def show(do: F) -> F:
        vars(do)["__signature__"] = own
        return do

    return show


class call(Generic[P, T]):  # noqa: N801 (a decorator)
    """Of a method that returns a flow, one that returns its result, or is awaited for it."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Flow[T]]):
        self._describe = describe
        self.__doc__ = describe.__doc__
        self._shown = _shown(describe)

    @overload
    def __get__(self, group: None, kind: object) -> Self: ...
    @overload
    def __get__(self, group: Group[Sync], kind: object) -> Callable[P, T]: ...
    @overload
    def __get__(self, group: Group[Async], kind: object) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(
        self, group: Group[Sync] | Group[Async] | None, kind: object
    ) -> Self | Callable[P, T] | Callable[P, Coroutine[Any, Any, T]]:
        if group is None:
            return self
        describe: Callable[P, Flow[T]] = MethodType(self._describe, group)
        driver = group._driver
        if isinstance(driver, Sync):

            @self._shown
            @functools.wraps(describe)
            def do(*args: P.args, **more: P.kwargs) -> T:
                return driver.carry_out(describe(*args, **more))

            return do

        @self._shown
        @functools.wraps(describe)
        async def do_async(*args: P.args, **more: P.kwargs) -> T:
            return await driver.carry_out(describe(*args, **more))

        return do_async


class stream(Generic[P, T]):  # noqa: N801 (a decorator)
    """Of a method that returns a stream, one that returns an iterator, synchronous or not."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Stream[T]]):
        self._describe = describe
        self.__doc__ = describe.__doc__
        self._shown = _shown(describe)

    @overload
    def __get__(self, group: None, kind: object) -> Self: ...
    @overload
    def __get__(self, group: Group[Sync], kind: object) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, group: Group[Async], kind: object) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(
        self, group: Group[Sync] | Group[Async] | None, kind: object
    ) -> Self | Callable[P, Iterator[T]] | Callable[P, AsyncIterator[T]]:
        if group is None:
            return self
        describe: Callable[P, Stream[T]] = MethodType(self._describe, group)
        driver = group._driver
        if isinstance(driver, Sync):

            @self._shown
            @functools.wraps(describe)
            def do(*args: P.args, **more: P.kwargs) -> Iterator[T]:
                return driver.hand_out(describe(*args, **more))

            return do

        @self._shown
        @functools.wraps(describe)
        def do_async(*args: P.args, **more: P.kwargs) -> AsyncIterator[T]:
            return driver.hand_out(describe(*args, **more))

        return do_async
