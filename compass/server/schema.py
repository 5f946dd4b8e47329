"""Which schema the database has, and bringing it to this version's."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import upgrade as alembic_upgrade
from sqlalchemy import Connection, text

from compass.server.config import ConfigError, settings
from compass.server.db import db
from compass.server.resources import folder

# Any number will do, as long as it is the same everywhere.
_LOCK = 0x436F6D70


def is_current(connection: Connection) -> bool:
    """Whether the schema is at this version's, or past it: one that is not known here."""
    revision = MigrationContext.configure(connection).get_current_revision()
    return revision is not None and revision not in _older()


def require_current() -> None:
    """Raises ConfigError where the schema is behind this version's, or is not there."""
    with db.engine.connect() as connection:
        if not is_current(connection):
            raise ConfigError(
                "The database is behind this version. Run `compass-server serve` or "
                "`compass-server db upgrade` first."
            )


def upgrade() -> None:
    """Brings the schema up to date. Of several processes at once, one does it.

    A schema of a later version is left as it is.
    """
    with _one_at_a_time():
        with db.engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
        if revision is None or revision in _older():
            alembic_upgrade()


@cache
def _older() -> frozenset[str]:
    """This version's revisions but the newest."""
    scripts = ScriptDirectory(str(folder("migrations")))
    head = scripts.get_current_head()
    return frozenset(s.revision for s in scripts.walk_revisions() if s.revision != head)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if settings().is_sqlite:
        home = settings().home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (home / "migrate.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with db.engine.connect() as connection:
        # Of the session, not the transaction: the migrations run on connections of their own.
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            connection.commit()
