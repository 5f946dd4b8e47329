"""Sealed credentials: by which keys they open, and what a start with a wrong one says."""

import subprocess
from dataclasses import replace
from pathlib import Path

from cryptography.fernet import Fernet

from compass.server import create_app
from compass.server.core import connections, vault
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
