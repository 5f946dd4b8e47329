"""P8: what is changed in one process counts for the very next request of another one.

This process changes, through the rules; a server beside it, on the same database, answers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from compass.server.config import Settings
from compass.server.core import keys, rotation, users
from compass.server.core.models import Key
from compass.server.db import transaction
from tests.conftest import both
from tests.servers import serving
from tests.world import OPERATOR, Browser, World

TIMES = 200


@dataclass
class Elsewhere:
    """Another process that verifies keys, on a connection that stays open."""

    client: httpx.Client

    def ask(self, secret: str, path: str = "/v1/me") -> str:
        """The code of a refusal, or "passes"."""
        answer = self.client.get(path, headers={"Authorization": f"Bearer {secret}"})
        return str(answer.json().get("code", "passes"))


@pytest.fixture
def elsewhere(settings: Settings, world: World) -> Iterator[Elsewhere]:
    env = {
        "COMPASS_DATABASE_URL": settings.database_url.render_as_string(hide_password=False),
        "COMPASS_SECRET_KEY": str(settings.secret_key),
        "COMPASS_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "COMPASS_RATE_LIMIT": "none",
    }
    with serving(settings.home, env=env) as server:
        yield Elsewhere(server.client())


def rule(world: World, change: Callable[[], object]) -> None:
    with world.app.app_context(), transaction():
        change()


@both
def test_revoking(world: World, elsewhere: Elsewhere) -> None:
    for number in range(TIMES):
        secret, key_id = world.key(f"Key {number}")
        assert elsewhere.ask(secret) == "passes"
        rule(world, lambda key_id=key_id: keys.revoke(OPERATOR, key_id))  # type: ignore[misc]
        assert elsewhere.ask(secret) == "revoked_token"


@both
def test_the_end_of_an_overlap(world: World, elsewhere: Elsewhere) -> None:
    secret, key_id = world.key()
    for _ in range(TIMES):
        with world.app.app_context(), transaction():
            new, _key = rotation.rotate(OPERATOR, key_id, "1", None)
        assert elsewhere.ask(secret) == elsewhere.ask(new) == "passes"
        rule(world, lambda: rotation.end_overlap(OPERATOR, key_id))
        assert elsewhere.ask(secret) == "rotated_token"
        assert elsewhere.ask(new) == "passes"
        secret = new


@both
def test_expiry(world: World, elsewhere: Elsewhere) -> None:
    secret, key_id = world.key(days="1")
    for _ in range(TIMES):
        moment = datetime.now(UTC)
        world.set_columns(Key, Key.id == key_id, expires_at=moment + timedelta(days=1))
        assert elsewhere.ask(secret) == "passes"
        world.set_columns(Key, Key.id == key_id, expires_at=moment)
        assert elsewhere.ask(secret) == "expired_token"


@both
def test_demotion(world: World, elsewhere: Elsewhere) -> None:
    world.set_role("bob", "admin")
    secret, _ = world.key(by="bob", type="personal")
    for _ in range(TIMES):
        assert elsewhere.ask(secret, "/v1/keys") == "passes"
        world.set_role("bob", "member")
        assert elsewhere.ask(secret, "/v1/keys") == "insufficient_role"
        world.set_role("bob", "admin")


@both
def test_removal(world: World, elsewhere: Elsewhere) -> None:
    secret, _ = world.key(by="bob", type="personal")
    for _ in range(TIMES):
        assert elsewhere.ask(secret) == "passes"
        world.set_role("bob", None)
        assert elsewhere.ask(secret) == "owner_inactive"
        world.set_role("bob", "member")


@both
def test_disabling(world: World, elsewhere: Elsewhere) -> None:
    secret, _ = world.key(by="bob", type="personal")
    for _ in range(TIMES):
        assert elsewhere.ask(secret) == "passes"
        world.change("bob", users.disable)
        assert elsewhere.ask(secret) == "owner_inactive"
        world.change("bob", users.enable)


@both
def test_every_session_knows_at_once(world: World, elsewhere: Elsewhere) -> None:
    """Demotion, removal and disabling, by the pages that another process answers with."""
    members = f"/projects/{world.project}/settings/members"
    for _ in range(TIMES // 10):
        world.change("bob", users.promote)
        cookies = cookies_of(world.signed_in("bob"))

        def page(path: str, cookies: dict[str, str] = cookies) -> int:
            return elsewhere.client.get(path, headers=cookies).status_code

        assert page("/settings/organization/people") == 200
        world.change("bob", users.demote)
        assert page("/settings/organization/people") == 403
        assert page(members) == 200
        world.set_role("bob", None)
        assert page(members) == 404
        world.set_role("bob", "member")
        assert page(members) == 200
        world.change("bob", users.disable)
        assert page(members) == 302
        world.change("bob", users.enable)
        assert page(members) == 302


def cookies_of(browser: Browser) -> dict[str, str]:
    cookie = browser.client.get_cookie("compass_session")
    assert cookie
    return {"Cookie": f"compass_session={cookie.value}"}
