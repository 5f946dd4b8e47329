"""One's own name and password."""

import pytest

from compass.server.core.models import User
from compass.server.db import db
from tests.world import PASSWORD, World

NEW = "another battery of horses"


def change(world: World, **fields: str):  # type: ignore[no-untyped-def]
    form = {"current_password": PASSWORD, "password": NEW} | fields
    return world.browser("bob").post("/account/password", form)


def test_the_name_can_be_changed(world: World) -> None:
    browser = world.browser("bob")
    response = browser.post("/account", {"name": " Robert "}, follow_redirects=True)
    assert "Your name was changed." in response.text
    assert 'value="Robert"' in browser.get("/account").text
    assert len(world.events("user.renamed")) == 1


@pytest.mark.parametrize("name", ["", "x" * 81, "a\u202eb"])
def test_a_bad_name_is_refused(world: World, name: str) -> None:
    browser = world.browser("bob")
    assert browser.post("/account", {"name": name}).status_code == 422
    assert 'value="Bob"' in browser.get("/account").text


def test_a_new_password_ends_the_other_sessions(world: World) -> None:
    here, there = world.browser("bob"), world.browser("bob")
    form = {"current_password": PASSWORD, "password": NEW}
    assert here.post("/account/password", form).status_code == 303
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 302
    assert world.browser().sign_in("bob").status_code == 422
    assert world.browser().sign_in("bob", NEW).status_code == 303
    assert len(world.events("user.password_changed")) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"current_password": "wrong wrong"}, "This is not your password."),
        ({"password": "short"}, "Use at least 8 characters"),
        ({"password": ""}, "Use at least 8 characters"),
        ({"password": "x", "current_password": ""}, "Enter your current password."),
        ({"password": "x", "current_password": "wrong wrong"}, "Use at least 8 characters"),
    ],
)
def test_a_password_is_not_changed_without_the_old_or_for_a_poor_one(
    world: World, fields: dict[str, str], words: str
) -> None:
    response = change(world, **fields)
    assert response.status_code == 422
    assert words in response.text
    assert world.browser().sign_in("bob").status_code == 303


def test_guessing_the_old_password_is_throttled(world: World) -> None:
    browser = world.browser("bob")
    form = {"current_password": "wrong wrong", "password": NEW}
    codes = [browser.post("/account/password", form).status_code for _ in range(11)]
    assert codes == [422] * 10 + [429]


def test_looking_for_a_good_new_password_locks_nobody_out(world: World) -> None:
    browser = world.browser("bob")
    for fields in ({"current_password": PASSWORD, "password": "short"}, {}) * 10:
        assert browser.post("/account/password", fields).status_code == 422
    assert world.browser().sign_in("bob").status_code == 303


def test_a_reload_after_an_error_leads_back(world: World) -> None:
    assert world.browser("bob").get("/account/password").headers["Location"] == "/account"


def test_passwords_are_stored_as_argon2id(world: World) -> None:
    change(world)
    with world.app.app_context():
        hashes = list(db.session.scalars(db.select(User.password_hash)))
    assert all(stored.startswith("$argon2id$") for stored in hashes)
    assert NEW not in "".join(hashes)


def test_a_hash_of_older_parameters_is_renewed_at_login(world: World) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD)
    with world.app.app_context():
        db.session.execute(db.update(User).where(User.id == world.bob).values(password_hash=old))
        db.session.commit()
    assert world.browser().sign_in("bob").status_code == 303
    with world.app.app_context():
        stored = db.session.get(User, world.bob)
        assert stored is not None
        assert stored.password_hash != old
    assert world.browser().sign_in("bob").status_code == 303
