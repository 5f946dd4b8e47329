"""What tests of steps share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import URL

from compass.server.core import http_pool
from tests.conftest import make_settings
from tests.http_steps import Http
from tests.raw_target import Play, Raw, RawTarget, a_raw_target
from tests.target import Target, a_target


@pytest.fixture
def settings_alone(tmp_path: Path) -> Iterator[Flask]:
    """An application with no more in it than a step asks for."""
    app = Flask("steps")
    app.config["COMPASS"] = make_settings(tmp_path, URL.create("sqlite"))
    with app.app_context():
        yield app
    http_pool.close()


@pytest.fixture
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


@pytest.fixture
def http(settings_alone: Flask, target: Target) -> Http:
    return Http(target.url)


@pytest.fixture
def raw(settings_alone: Flask) -> Iterator[Raw]:
    """Makes a server that plays what it is given, and steps against it."""
    with ExitStack() as open_:

        def make(play: Play) -> tuple[Http, RawTarget]:
            target = open_.enter_context(a_raw_target(play))
            return Http(target.url), target

        yield make
