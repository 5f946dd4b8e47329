"""A key in its last days says so, once, to whoever wrote the code that uses it."""

import warnings
from collections.abc import Callable

import pytest

from compass import AsyncCompass, Compass, KeyExpires
from tests.sdk.awaiting import finished
from tests.sdk.proxy import Proxy
from tests.work import Work
from tests.world import World

Connect = Callable[[str], Compass]


def test_it_is_warned_of_once_by_each_client(world: World, connect: Connect) -> None:
    secret, _ = world.key(days="3")
    client = connect(secret)
    assert client.key_expires_at is None
    with pytest.warns(KeyExpires, match="expires on .* UTC, in 2 days") as warned:
        me = client.me()
    # It points at the line that made the call.
    assert warned[0].filename == __file__
    assert client.key_hint in str(warned[0].message)
    assert client.key_expires_at == me.key.expires_at
    client.me()
    with pytest.warns(KeyExpires):
        connect(secret).me()


def test_a_list_and_the_awaited_client_warn_at_the_right_line_too(
    world: World, connect: Connect, proxy: Proxy
) -> None:
    secret, _ = world.key(days="3", role="admin")
    with pytest.warns(KeyExpires) as warned:
        list(connect(secret).keys.list())
    assert warned[0].filename == __file__

    async def work() -> None:
        async with AsyncCompass(secret, proxy.url) as client:
            await client.me()

    with pytest.warns(KeyExpires) as warned:
        finished(work())
    assert warned[0].filename == __file__


def test_a_key_that_lasts_is_not_warned_of(world: World, connect: Connect) -> None:
    for days in ("", "15"):
        assert connect(world.key(f"Key {days}", days=days)[0]).me().role == "member"


def test_a_rotation_gets_through_where_warnings_are_errors(world: World, connect: Connect) -> None:
    secret, _ = world.key(days="3")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rotated = connect(secret).keys.rotate_self()
        with pytest.raises(KeyExpires):
            connect(rotated.secret).me()


def test_no_run_is_lost_where_warnings_are_errors(world: World, connect: Connect) -> None:
    """What changed something returns; the next call that only reads raises, once."""
    work = Work(world)
    work.write()
    secret, _ = world.key(days="3", role="admin")
    client = connect(secret)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = client.runs.create("echo")
        assert client.runs.cancel(run.id).status == "cancelled"
        assert client.key_expires_at is not None
        with pytest.raises(KeyExpires):
            client.me()
        assert client.me().role == "admin"
        other = connect(world.key("Other", days="3")[0])
        assert other.runs.create("echo").status == "queued"


def test_a_call_that_changes_something_warns_too(world: World, connect: Connect) -> None:
    Work(world).write()
    with pytest.warns(KeyExpires) as warned:
        connect(world.key(days="3")[0]).runs.create("echo")
    assert warned[0].filename == __file__
