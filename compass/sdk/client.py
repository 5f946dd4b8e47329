"""The two clients. What they can do is in calls.py and runs.py, the same for both."""

from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from compass.sdk.calls import Connections, Keys, Workflows
from compass.sdk.drivers import Async, D, Group, Sync, call
from compass.sdk.exchange import Flow, get, path_of, shape
from compass.sdk.keys import hint
from compass.sdk.runs import Runs
from compass.sdk.session import Given, Session
from compass.sdk.shapes import Me

if TYPE_CHECKING:
    import httpx


class _Client(Group[D]):
    def __init__(self, driver: D):
        super().__init__(driver)
        self.keys = Keys(driver)
        self.connections = Connections(driver)
        self.workflows = Workflows(driver)
        self.runs = Runs(driver)

    @call
    def me(self) -> Flow[Me]:
        """Whom Compass takes this key for: its project, its role now, its owner."""
        return self._ask(get(path_of("me")), shape(Me))

    @property
    def base_url(self) -> str:
        return self._driver.session.base_url

    @property
    def key_hint(self) -> str:
        """What may be shown of the key."""
        return hint(self._driver.session.key)

    @property
    def key_expires_at(self) -> datetime | None:
        """When the key expires, once an answer has said so: in its last 14 days."""
        return self._driver.session.key_expires_at

    def __repr__(self) -> str:
        # Tracebacks may show what is not finished: a client that was given no key.
        if "_driver" not in vars(self):
            return f"<{type(self).__name__}>"
        return f"<{type(self).__name__} {self.key_hint} at {self.base_url}>"


class Compass(_Client[Sync]):
    """A client for one key. Use it for all calls, from as many threads as you like; `close` it,
    or use it in a `with` block, where it doesn't live as long as the program.

    `api_key` and `base_url` come from COMPASS_API_KEY and COMPASS_BASE_URL where they are not
    given. `timeout` is in seconds, for each attempt; `max_retries` is how many follow the first.
    Raises MissingKey and MalformedKey without asking the server.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: float = 30,
        max_retries: int = 2,
        transport: "httpx.BaseTransport | None" = None,
    ):
        given, api_key = Given(api_key), None
        super().__init__(Sync(Session.of(given, base_url, timeout, max_retries), transport))

    def close(self) -> None:
        self._driver.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncCompass(_Client[Async]):
    """As Compass, for asyncio: each call is awaited, each list goes through `async for`."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: float = 30,
        max_retries: int = 2,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ):
        given, api_key = Given(api_key), None
        super().__init__(Async(Session.of(given, base_url, timeout, max_retries), transport))

    async def close(self) -> None:
        await self._driver.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
