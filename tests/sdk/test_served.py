"""Both clients against a real `compass-server serve` on a port."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Thread
from typing import TypeVar

import pytest

from compass import (
    AsyncCompass,
    AuthenticationError,
    Compass,
    Conflict,
    Invalid,
    NotFound,
    PermissionDenied,
    Unreachable,
)
from compass.sdk import exchange
from compass.server.core.tokens import mint
from tests.sdk.awaiting import finished
from tests.sdk.conftest import Served, make_key
from tests.sdk.proxy import DROP, Proxy
from tests.sdk.test_calls import BEARER, HTTP
from tests.servers import free_port
from tests.world import World

T = TypeVar("T")

STEPS = [{"name": "say", "connection": "chat", "method": "GET", "path": "/hello"}]


def awaited(work: Callable[[AsyncCompass], Awaitable[T]], key: str, url: str) -> T:
    async def run() -> T:
        async with AsyncCompass(key, url) as client:
            return await work(client)

    return finished(run())


def test_the_clients_of_the_environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPASS_API_KEY", f'"{served.member}"\r\n')
    monkeypatch.setenv("COMPASS_BASE_URL", f"{served.url}/v1/")
    with Compass() as client:
        me = client.me()
    assert me.project.name == "Default"

    async def work() -> None:
        async with AsyncCompass() as client:
            assert (await client.me()).project == me.project

    finished(work())


def test_a_walk_through_the_calls(served: Served) -> None:
    with Compass(served.admin, served.url) as client:
        made = client.connections.create("chat", "http", HTTP, BEARER)
        workflow = client.workflows.create("greet", STEPS)
        assert client.workflows.get(workflow.id).steps[0]["path"] == "/hello"
        with pytest.raises(Conflict):
            client.connections.delete(made.id)
        client.workflows.delete(workflow.id)
        client.connections.delete(made.id)
        assert list(client.connections.list()) == []
        with pytest.raises(NotFound):
            client.workflows.get(workflow.id)


def test_the_same_walk_awaited(served: Served) -> None:
    async def walk(client: AsyncCompass) -> None:
        made = await client.connections.create("chat", "http", HTTP, BEARER)
        renamed = await client.connections.update(made.id, name="talk")
        assert renamed.name == "talk"
        steps = [{**STEPS[0], "connection": "talk"}]
        workflow = await client.workflows.create("greet", steps)
        replaced = await client.workflows.replace(workflow.id, "hail", steps)
        assert replaced.version == 2
        assert [each.name async for each in client.workflows.list()] == ["hail"]
        assert await client.workflows.get(workflow.id) == replaced
        with pytest.raises(Conflict):
            await client.connections.delete(made.id)
        await client.workflows.delete(workflow.id)
        await client.connections.delete(made.id)
        assert [each async for each in client.connections.list()] == []

    awaited(walk, served.admin, served.url)


def test_awaited_lists_page_by_themselves(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PAGE", 1)

    async def names(client: AsyncCompass) -> list[str]:
        return [key.name async for key in client.keys.list()]

    assert awaited(names, served.admin, served.url) == ["Member", "Admin"]


def test_awaited_refusals(served: Served) -> None:
    async def without_power(client: AsyncCompass) -> None:
        with pytest.raises(PermissionDenied):
            await client.connections.create("chat", "http", HTTP, BEARER)
        with pytest.raises(PermissionDenied):
            async for _ in client.keys.list():
                pass

    async def with_power(client: AsyncCompass) -> None:
        with pytest.raises(Invalid) as caught:
            await client.connections.create("", "http", HTTP, BEARER)
        assert set(caught.value.errors) == {"/name"}
        with pytest.raises(NotFound):
            await client.keys.get("key_00000000000000000000000")

    async def unknown(client: AsyncCompass) -> None:
        with pytest.raises(AuthenticationError):
            await client.me()

    async def nobody(client: AsyncCompass) -> None:
        with pytest.raises(Unreachable) as caught:
            await client.me()
        assert caught.value.__context__ is None

    awaited(without_power, served.member, served.url)
    awaited(with_power, served.admin, served.url)
    awaited(unknown, mint("personal"), served.url)
    awaited(nobody, served.member, f"http://127.0.0.1:{free_port()}")


def test_an_awaited_call_is_tried_again(world: World, proxy: Proxy) -> None:
    proxy.next = [DROP, DROP]

    async def ask(client: AsyncCompass) -> str:
        return (await client.me()).project.name

    assert awaited(ask, world.key()[0], proxy.url) == "Default"
    assert len(proxy.seen) == 3


def test_calls_at_the_same_time(served: Served) -> None:
    async def many(client: AsyncCompass) -> set[str]:
        return {me.project.name for me in await asyncio.gather(*(client.me() for _ in range(20)))}

    assert awaited(many, served.member, served.url) == {"Default"}
    with Compass(served.member, served.url) as client:
        found: list[str] = []
        threads = [Thread(target=lambda: found.append(client.me().project.name)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == ["Default"] * 10


def test_a_key_rotates_and_revokes_itself(served: Served) -> None:
    secret = make_key(served.server.home, "Rotating", "member")

    async def rotate(client: AsyncCompass) -> str:
        return (await client.keys.rotate_self(overlap_hours=1)).secret

    async def revoke(client: AsyncCompass) -> str:
        return (await client.keys.revoke_self()).status

    new = awaited(rotate, secret, served.url)
    assert new != secret
    with Compass(secret, served.url) as old:
        assert old.me().key.name == "Rotating"
        assert awaited(revoke, new, served.url) == "revoked"
        with pytest.raises(AuthenticationError) as caught:
            old.me()
    assert caught.value.code == "revoked_token"
