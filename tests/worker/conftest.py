"""Real workers, each a process of its own, on the database that a test works with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from compass.server.config import Settings
from tests.target import Target, a_target
from tests.work import Work
from tests.world import World


@pytest.fixture
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


@pytest.fixture
def work(world: World, target: Target) -> Work:
    return Work(world, target.url)


@pytest.fixture
def home(settings: Settings) -> Path:
    return settings.home


@pytest.fixture
def env(settings: Settings, database_url: URL) -> dict[str, str]:
    """What a process needs to be on the test's database, with its secrets."""
    url = database_url
    if not settings.is_sqlite:
        url = url.set(drivername="postgresql")
    return {
        "COMPASS_DATABASE_URL": url.render_as_string(hide_password=False),
        "COMPASS_SECRET_KEY": settings.signing_key(),
        "COMPASS_ENCRYPTION_KEYS": settings.vault_keys()[0],
    }
