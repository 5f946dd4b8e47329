"""Login throttling: guessing is slowed, and the owner is never locked out for good."""

import threading
from datetime import timedelta
from typing import Literal

import pytest
from argon2 import PasswordHasher

from compass.server.core import login, passwords, throttle
from compass.server.core.clock import now
from compass.server.core.errors import Throttled
from compass.server.core.models import LoginAttempt
from compass.server.db import db, transaction
from tests.conftest import both
from tests.world import PASSWORD, World, password_hash

ALICE = "alice@example.org"


def attempts(world: World, email: str, address: str, most: int = 200) -> int:
    """How many attempts pass before one is refused."""
    with world.app.app_context():
        for count in range(most):
            try:
                with transaction():
                    login.claim(email, address)
            except Throttled as throttled:
                assert 1 <= throttled.retry_after <= 900
                return count
    return most


@both
def test_one_address_guesses_one_account_ten_times(world: World) -> None:
    assert attempts(world, ALICE, "198.51.100.1") == 10
    assert attempts(world, ALICE, "198.51.100.1") == 0


@both
def test_the_case_of_the_address_makes_no_difference(world: World) -> None:
    attempts(world, ALICE, "198.51.100.1")
    assert attempts(world, " ALICE@Example.org ", "198.51.100.1") == 0


@both
def test_one_address_tries_fifty_times_over_all_accounts(world: World) -> None:
    tried = sum(attempts(world, f"user{n}@example.org", "198.51.100.1", 5) for n in range(20))
    assert tried == 50


@both
def test_many_addresses_guess_one_account_thirty_times(world: World) -> None:
    assert sum(attempts(world, ALICE, f"198.51.100.{n}", 5) for n in range(20)) == 30


@both
def test_the_owner_signs_in_meanwhile_from_where_they_did_before(world: World) -> None:
    browser = world.browser()
    home = {"REMOTE_ADDR": "192.0.2.1"}
    form = {"email": ALICE, "password": "correct horse battery staple"}
    assert browser.post("/login", form, environ_overrides=home).status_code == 303
    for n in range(20):
        attempts(world, ALICE, f"198.51.100.{n}", 5)
    again = world.browser().post("/login", form, environ_overrides=home)
    assert again.status_code == 303
    elsewhere = world.browser().post("/login", form)
    assert elsewhere.status_code == 429
    assert int(elsewhere.headers["Retry-After"]) > 0
    assert "Try again in 15 minutes" in elsewhere.text


@both
def test_a_refused_attempt_is_no_row_and_old_ones_go(world: World) -> None:
    attempts(world, ALICE, "198.51.100.1")
    for _ in range(5):
        attempts(world, ALICE, "198.51.100.1")
    assert world.count(LoginAttempt) == throttle.PER_ACCOUNT_AND_ADDRESS
    with world.app.app_context():
        long_ago = now() - throttle.WINDOW - timedelta(seconds=1)
        db.session.execute(db.update(LoginAttempt).values(at=long_ago))
        db.session.commit()
    assert attempts(world, ALICE, "198.51.100.1", 1) == 1
    assert world.count(LoginAttempt) == 1


@both
def test_the_right_password_forgets_the_wrong_ones(world: World) -> None:
    browser = world.browser()
    for _ in range(9):
        assert browser.sign_in("alice", "wrong wrong").status_code == 422
    assert browser.sign_in("alice").status_code == 303
    assert world.browser().sign_in("alice", "wrong wrong").status_code == 422


def test_what_was_typed_as_an_address_is_nowhere_stored(world: World) -> None:
    browser = world.browser()
    form = {"email": "hunter2-my-password", "password": "x"}
    assert browser.post("/login", form).status_code == 422
    with world.app.app_context():
        rows = list(db.session.connection().exec_driver_sql("SELECT * FROM login_attempts"))
        events = list(db.session.connection().exec_driver_sql("SELECT * FROM audit_events"))
    assert "hunter2" not in repr((rows, events))


def test_password_hashes_take_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    most = 0

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            nonlocal most
            inside.append(1)
            most = max(most, len(inside))
            try:
                return super().verify(hash, password)
            finally:
                inside.pop()

    monkeypatch.setattr(passwords, "_hasher", Watched())
    stored, results = password_hash(), []
    threads = [
        threading.Thread(target=lambda: results.append(passwords.verify(stored, PASSWORD)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 6
    assert most == 1
