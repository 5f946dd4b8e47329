"""Signing in and out, and what a session is worth."""

from datetime import timedelta

import pytest

from compass.server.core import users
from compass.server.core.clock import now
from compass.server.core.models import Session
from compass.server.db import db
from tests.conftest import both
from tests.world import PASSWORD, World

LIST = "/settings/developers/api-keys"


@both
def test_signing_in_and_out(world: World) -> None:
    browser = world.browser()
    assert browser.get(LIST).headers["Location"] == f"/login?next={LIST}"
    assert browser.sign_in("alice").headers["Location"] == "/"
    assert browser.get(LIST).status_code == 200
    assert browser.post("/logout").headers["Location"] == "/login"
    assert browser.get(LIST).status_code == 302


def test_the_session_ends_in_the_database_too(world: World) -> None:
    browser = world.browser("alice")
    cookie = browser.client.get_cookie("compass_session")
    assert cookie is not None
    browser.post("/logout")
    browser.client.set_cookie("compass_session", cookie.value)
    assert browser.get(LIST).status_code == 302


def test_the_session_id_is_new_at_each_login_and_stored_hashed(world: World) -> None:
    browser = world.browser("alice")
    with browser.client.session_transaction() as cookie:
        first = cookie["_user_id"]
    browser.sign_in("alice")
    with browser.client.session_transaction() as cookie:
        second = cookie["_user_id"]
    assert first != second
    with world.app.app_context():
        rows = list(db.session.scalars(db.select(Session)))
        assert len(rows) == 2
        assert not {first, second} & {row.id_hash for row in rows}
        assert [row.ended_at is None for row in rows].count(True) == 1


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong wrong"), ("nobody", PASSWORD), ("alice", "")]
)
def test_a_wrong_password_and_an_unknown_account_look_the_same(
    world: World, name: str, password: str
) -> None:
    response = world.browser().sign_in(name, password)
    assert response.status_code == 422
    assert "Email or password is wrong." in response.text
    assert f'value="{name}@example.org"' in response.text
    assert len(world.events("login.failed")) == 1


@both
def test_a_disabled_user_is_out_on_the_next_request_and_can_not_return(world: World) -> None:
    browser = world.browser("bob")
    assert browser.get(LIST).status_code == 200
    world.change("bob", users.disable)
    assert browser.get(LIST).status_code == 302
    assert world.browser().sign_in("bob").status_code == 422


def test_a_session_ends_by_itself_after_two_idle_weeks(world: World) -> None:
    browser = world.browser("alice")
    with world.app.app_context():
        db.session.execute(db.update(Session).values(last_seen_at=now() - timedelta(days=15)))
        db.session.commit()
    assert browser.get(LIST).status_code == 302


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\nb", "x",
     "/\t/evil.example", "\\\\evil.example", "/a\\b"],
)  # fmt: skip
def test_next_leads_to_own_paths_only(world: World, target: str) -> None:
    browser = world.browser()
    response = browser.post(
        "/login", {"email": "alice@example.org", "password": PASSWORD, "next": target}
    )
    assert response.headers["Location"] == "/"


def test_next_leads_on_after_signing_in(world: World) -> None:
    browser = world.browser()
    page = browser.get(f"{LIST}?status=active")
    assert page.headers["Location"] == f"/login?next={LIST}?status%3Dactive"
    target = f"{LIST}?status=active"
    form = {"email": "alice@example.org", "password": PASSWORD, "next": target}
    assert browser.post("/login", form).headers["Location"] == target
    assert browser.get(f"/login?next={LIST}").headers["Location"] == LIST


def test_htmx_is_sent_to_sign_in_as_a_whole_page(world: World) -> None:
    response = world.browser().client.get(
        LIST,
        headers={"HX-Request": "true", "HX-Current-URL": f"http://localhost{LIST}?q=a"},
    )
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == f"/login?next={LIST}?q%3Da"


def test_a_form_of_an_ended_session_leads_to_sign_in(world: World) -> None:
    assert world.browser().client.post(LIST, data={}).headers["Location"] == "/login"


def test_the_tokens_of_people_and_their_sessions_are_apart(world: World) -> None:
    """Signing out leaves the tokens that work for them alone."""
    secret, _ = world.key(by="bob", type="personal")
    browser = world.browser("bob")
    browser.post("/logout")
    assert world.call("/v1/me", secret).status_code == 200
