"""A database as a connection's target: on TCP, and with a password. The tests' own PostgreSQL
listens at a socket's folder alone and trusts whoever comes in by it."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
from sqlalchemy import URL

USER, PASSWORD, DATABASE = "warehouse_reader", "not-for-reading-42", "warehouse"
CREDENTIALS = {"password": PASSWORD}


@dataclass
class Warehouse:
    """`falls_silent` stops all that the server would say."""

    port: int
    owner: URL
    falls_silent: Event = field(default_factory=Event)

    @property
    def config(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "database": DATABASE,
            "user": USER,
            "sslmode": "disable",
        }

    def look(self, sql: str) -> list[Any]:
        """As its owner, beside all connections."""
        with psycopg.connect(_plain(self.owner.set(database=DATABASE)), autocommit=True) as session:
            found = session.execute(sql.encode())
            return [row[0] for row in found] if found.description else []


@contextmanager
def a_warehouse(postgres: URL) -> Iterator[Warehouse]:
    with psycopg.connect(_plain(postgres), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'".encode())
        owner.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}".encode())
        file = Path(owner.execute("SHOW hba_file").fetchone()[0])  # type: ignore[index]
        rules = file.read_text()
        file.write_text(f"local all {USER} scram-sha-256\n{rules}")
        owner.execute("SELECT pg_reload_conf()")
    folder = str(postgres.query["host"])
    with socket.create_server(("127.0.0.1", 0)) as door:
        warehouse = Warehouse(door.getsockname()[1], postgres)
        Thread(target=_let_in, args=(door, folder, warehouse), daemon=True).start()
        yield warehouse
        door.shutdown(socket.SHUT_RDWR)
    with psycopg.connect(_plain(postgres), autocommit=True) as owner:
        owner.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())
        owner.execute(f"DROP ROLE {USER}".encode())
        file.write_text(rules)


def _let_in(door: socket.socket, folder: str, warehouse: Warehouse) -> None:
    """Until the door is shut."""
    with suppress(OSError):
        while True:
            guest, _ = door.accept()
            Thread(target=_carry, args=(guest, folder, warehouse), daemon=True).start()


def _carry(guest: socket.socket, folder: str, warehouse: Warehouse) -> None:
    """Bytes between TCP and the server's socket, until one of the two hangs up."""
    with guest, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
        server.connect(f"{folder}/.s.PGSQL.5432")
        while True:
            for source in select.select([guest, server], [], [])[0]:
                if not (data := source.recv(65536)):
                    return
                if source is guest:
                    server.sendall(data)
                elif not warehouse.falls_silent.is_set():
                    guest.sendall(data)


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
