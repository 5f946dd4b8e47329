"""Sealed credentials: by which keys they open, and what a start with a wrong one says."""

import json
import sqlite3
import subprocess
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import select, update

from compass.server import create_app
from compass.server.config import Settings
from compass.server.core import connections, vault, vault_rotation
from compass.server.core.models import AuditEvent, Connection, ConnectionKind, Project
from compass.server.db import db, transaction
from tests.conftest import both, dispose
from tests.servers import COMMAND, clean_environment, free_port
from tests.world import World

CREDENTIALS = {"auth": "bearer", "token": "very-secret"}


def connect(world: World, name: str = "chat") -> str:
    secret, _ = world.key(f"For {name}", role="admin")
    given = {
        "name": name,
        "kind": "http",
        "config": {"base_url": "http://127.0.0.1:9"},
        "credentials": CREDENTIALS,
    }
    return str(world.call("/v1/connections", secret, "POST", json=given).json["id"])


def test_a_key_is_made_once_and_is_nobody_elses_to_read(world: World) -> None:
    with world.app.app_context():
        sealed = vault.seal(CREDENTIALS)
        assert vault.unseal(sealed) == CREDENTIALS
    file = world.app.config["COMPASS"].home / "encryption_keys"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "very-secret" not in sealed


def test_a_key_in_front_seals_and_the_ones_behind_still_open(world: World) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings = world.app.config["COMPASS"]
    first = create_app(replace(settings, encryption_keys=(old,)))
    second = create_app(replace(settings, encryption_keys=(new, old)))
    third = create_app(replace(settings, encryption_keys=(new,)))
    with first.app_context():
        sealed = vault.seal(CREDENTIALS)
    with second.app_context():
        assert vault.unseal(sealed) == CREDENTIALS
        assert not vault.is_newest(sealed)
        again = vault.reseal(sealed)
        assert vault.is_newest(again)
    with third.app_context():
        assert vault.unseal(again) == CREDENTIALS


def test_those_that_can_not_be_opened_are_named(world: World) -> None:
    connect(world)
    with world.app.app_context():
        assert connections.unopenable() == []
    wrong = replace(world.app.config["COMPASS"], encryption_keys=(Fernet.generate_key().decode(),))
    with create_app(wrong).app_context():
        assert [each.name for each in connections.unopenable()] == ["chat"]


def start(home: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = clean_environment(COMPASS_HOME=str(home), **settings)
    command = [*COMMAND, "serve", "--port", str(free_port())]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_start_with_a_wrong_or_lost_key_is_refused_and_overwrites_nothing(world: World) -> None:
    connect(world)
    home = world.app.config["COMPASS"].home
    before = world.dump()["connections"]
    wrong = start(home, COMPASS_ENCRYPTION_KEYS=Fernet.generate_key().decode())
    file = home / "encryption_keys"
    kept = file.read_text()
    file.rename(home / "elsewhere")
    lost = start(home)
    for refused in (wrong, lost):
        assert refused.returncode != 0
        assert "can't open the credentials of chat" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not file.exists()
    assert (home / "elsewhere").read_text() == kept
    assert world.dump()["connections"] == before


def keys(*keys: str) -> dict[str, str]:
    return {"COMPASS_ENCRYPTION_KEYS": ",".join(keys)}


def new_key() -> str:
    return Fernet.generate_key().decode()


def fill(world: World, key: str, count: int, name: str = "c") -> None:
    """So many connections, sealed by this key."""
    app = create_app(replace(world.app.config["COMPASS"], encryption_keys=(key,)))
    with app.app_context(), transaction() as session:
        project_id = session.scalars(select(Project.id)).first()
        for number in range(count):
            sealed = vault.seal({**CREDENTIALS, "token": f"very-secret-{name}-{number}"})
            session.add(
                Connection(
                    project_id=project_id, name=f"{name}{number}", kind=ConnectionKind.HTTP,
                    config={"base_url": "http://127.0.0.1:9", "headers": {}}, sealed=sealed,
                )
            )  # fmt: skip
    dispose(app)


def opened(world: World, *keys: str) -> dict[str, str]:
    """Name → token, of all that these keys open."""
    app = create_app(replace(world.app.config["COMPASS"], encryption_keys=keys))
    found = {}
    with app.app_context():
        for connection in db.session.scalars(select(Connection)):
            with suppress(vault.SealedError):
                found[connection.name] = vault.unseal(connection.sealed)["token"]
    dispose(app)
    return found


def rotate(world: World, *given: str) -> "subprocess.CompletedProcess[str]":
    settings = world.app.config["COMPASS"]
    environment = environment_of(settings, *given)
    return subprocess.run(
        [*COMMAND, "vault", "rotate"], env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def environment_of(settings: Settings, *given: str) -> dict[str, str]:
    url = settings.database_url.render_as_string(hide_password=False)
    return clean_environment(
        COMPASS_HOME=str(settings.home),
        COMPASS_DATABASE_URL=url,
        COMPASS_SECRET_KEY=str(settings.secret_key),
        **keys(*given),
    )


def rotated(world: World) -> list[int]:
    """By how many each event says that were re-sealed."""
    with world.app.app_context():
        query = select(AuditEvent).where(AuditEvent.action == "vault.rotated")
        return [each.details["resealed"] for each in db.session.scalars(query)]


@both
def test_rotating_seals_everything_by_the_newest_key(world: World) -> None:
    old, new = new_key(), new_key()
    fill(world, old, 150)
    before = opened(world, old)
    done = rotate(world, new, old)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "150 re-sealed, 0 sealed by the newest key already.\n"
    assert opened(world, new) == before
    assert opened(world, old) == {}
    assert rotate(world, new, old).stdout == "0 re-sealed, 150 sealed by the newest key already.\n"
    assert sum(rotated(world)) == 150
    assert "very-secret" not in repr(world.dump())


def test_what_no_key_opens_is_named_and_left_as_it_is(world: World) -> None:
    old, new, lost = new_key(), new_key(), new_key()
    fill(world, old, 2)
    fill(world, lost, 1, name="lost")
    done = rotate(world, new, old)
    assert done.returncode == 1
    assert done.stdout == "2 re-sealed, 0 sealed by the newest key already.\n"
    assert "opens the credentials of lost0 (Default)" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(opened(world, lost)) == ["lost0"]
    assert sorted(opened(world, new)) == ["c0", "c1"]


def test_without_keys_none_are_made(world: World) -> None:
    fill(world, new_key(), 1)
    home = world.app.config["COMPASS"].home
    environment = clean_environment(COMPASS_HOME=str(home))
    done = subprocess.run(
        [*COMMAND, "vault", "rotate"], env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "There are no encryption keys here" in done.stderr
    assert not (home / "encryption_keys").exists()


@both
def test_what_is_changed_meanwhile_is_not_written_over(world: World) -> None:
    """The change is stored between the look at a connection and its turn."""
    old, new = new_key(), new_key()
    fill(world, old, 1)
    app = create_app(replace(world.app.config["COMPASS"], encryption_keys=(new, old)))
    with app.app_context():
        seen = db.session.scalars(select(Connection)).one()
        connection_id, sealed = seen.id, seen.sealed
        with transaction() as session:
            changed = vault.seal({**CREDENTIALS, "token": "changed-meanwhile"})
            session.execute(update(Connection).values(sealed=changed))
        with transaction():
            assert vault_rotation._reseal(connection_id, sealed) is False
            assert vault_rotation._reseal("con_gone", sealed) is False
    dispose(app)
    assert opened(world, new) == {"c0": "changed-meanwhile"}


def test_killed_in_the_middle_nothing_is_lost_and_it_goes_on(world: World) -> None:
    newest_first = [new_key()]
    fill(world, newest_first[0], 1000)
    before = opened(world, *newest_first)
    done = 1000
    # It may have been done when it was killed: then with one more key.
    while done == 1000:
        newest_first.insert(0, new_key())
        done = killed(world.app.config["COMPASS"], newest_first)
    assert opened(world, *newest_first) == before
    assert len(opened(world, newest_first[0])) == done
    again = rotate(world, *newest_first).stdout
    assert again == f"{1000 - done} re-sealed, {done} sealed by the newest key already.\n"
    assert opened(world, newest_first[0]) == before
    assert sum(rotated(world)) == 1000 * (len(newest_first) - 1)


def killed(settings: Settings, newest_first: list[str]) -> int:
    """How many were re-sealed when it was killed: some."""
    process = subprocess.Popen(
        [*COMMAND, "vault", "rotate"], env=environment_of(settings, *newest_first),
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with closing(sqlite3.connect(settings.sqlite_file or "")) as aside:
        before = rotated_rows(aside)
        while process.poll() is None and rotated_rows(aside) == before:
            pass
        process.kill()
        process.wait()
        done = rotated_rows(aside) - before
    assert done > 0
    return done


def rotated_rows(aside: sqlite3.Connection) -> int:
    """How many were re-sealed: by the record, which is written with them."""
    said = "SELECT details FROM audit_events WHERE action = 'vault.rotated'"
    return sum(json.loads(row[0])["resealed"] for row in aside.execute(said))
