"""Runs migrations on the application's own engine, all in one transaction.

On SQLite a table is changed by building it anew. Foreign keys are off meanwhile, or dropping
the old table would cascade; `foreign_key_check` afterwards proves that nothing was torn.
"""

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from compass.server.db import db
from compass.server.queue import TABLES

# The tables, for --autogenerate.
import compass.server.core.models  # isort: skip
import compass.server.core.run_models  # noqa: F401  isort: skip


def run(connection: Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        _foreign_keys(connection, "OFF")
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_as_batch=sqlite,
        compare_type=True,
        # The queue's tables are Huey's, and may be dropped at any time.
        include_name=lambda name, kind, _: kind != "table" or not (name or "").startswith(TABLES),
        # SQLite can roll DDL back; Alembic does not trust its driver to.
        transactional_ddl=True,
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
            torn = connection.exec_driver_sql("PRAGMA foreign_key_check").all() if sqlite else []
            if torn:
                raise RuntimeError(f"The migration would leave rows that point nowhere: {torn[:5]}")
    finally:
        if sqlite:
            _foreign_keys(connection, "ON")


def _foreign_keys(connection: Connection, state: str) -> None:
    """On the driver's own connection: inside a transaction SQLite ignores this."""
    connection.rollback()
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA foreign_keys = {state}")


if context.is_offline_mode():
    raise SystemExit("Migrations need the database: there is no offline mode.")
with current_app.extensions["migrate"].db.engine.connect() as engine_connection:
    run(engine_connection.execution_options(writes=True))
