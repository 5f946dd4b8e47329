"""The first start."""

import pytest
from flask import Flask

from compass.server.core import setup
from compass.server.core.models import User
from compass.server.db import db
from tests.world import PASSWORD, Browser, World


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Of an installation without anybody in it."""
    return Browser(app.test_client())


@pytest.fixture
def token(app: Flask) -> str:
    return setup.token(app.config["SECRET_KEY"])


def form(token: str, **fields: str) -> dict[str, str]:
    ada = {"email": "ada@example.org", "name": "Ada", "password": PASSWORD}
    return {"setup_token": token} | ada | fields


def csrf(browser: Browser, token: str) -> dict[str, str]:
    page = browser.get(f"/setup?setup_token={token}").text
    return {"csrf_token": page.split('name="csrf_token" value="')[1].split('"')[0]}


def test_the_link_makes_the_first_administrator(browser: Browser, token: str, app: Flask) -> None:
    response = browser.post("/setup", form(token) | csrf(browser, token))
    assert response.status_code == 303
    assert browser.get("/settings/developers/api-keys").status_code == 200
    with app.app_context():
        user = db.session.scalars(db.select(User)).one()
        assert (user.email, user.is_admin) == ("ada@example.org", True)


def test_it_is_gone_afterwards(browser: Browser, token: str) -> None:
    fields = form(token) | csrf(browser, token)
    browser.post("/setup", fields)
    assert browser.get(f"/setup?setup_token={token}").status_code == 404
    assert browser.post("/setup", fields).status_code == 404


@pytest.mark.parametrize("wrong", ["", "x", "compass_setup_" + "0" * 40, "ü"])
def test_a_wrong_token_is_forbidden(browser: Browser, token: str, wrong: str) -> None:
    assert browser.get(f"/setup?setup_token={wrong}").status_code == 403
    fields = form(wrong) | csrf(browser, token)
    response = browser.post("/setup", fields)
    assert response.status_code == 403
    assert "Not set up yet" in response.text
    assert "Open the link that the server printed" in response.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "nonsense"}, "Enter an email address"),
        ({"name": " "}, "Give this person a name."),
        ({"password": "short"}, "Use at least 8 characters"),
        ({"password": "x" * 1025}, "Use at most 1024 characters"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    browser: Browser, token: str, fields: dict[str, str], words: str
) -> None:
    response = browser.post("/setup", form(token, **fields) | csrf(browser, token))
    assert response.status_code == 422
    assert words in response.text
    if "email" not in fields:
        assert 'value="ada@example.org"' in response.text
    assert PASSWORD not in response.text
    assert browser.get(f"/setup?setup_token={token}").status_code == 200


def test_all_that_is_wrong_is_said_at_once(browser: Browser, token: str) -> None:
    fields = form(token, email="", name="", password="") | csrf(browser, token)
    response = browser.post("/setup", fields)
    for words in ("Enter an email address", "Give this person a name", "Use at least 8"):
        assert words in response.text


def test_without_csrf_nothing_happens(browser: Browser, token: str) -> None:
    response = browser.client.post("/setup", data=form(token))
    assert response.status_code == 400
    assert browser.get(f"/setup?setup_token={token}").status_code == 200


def test_sign_in_leads_to_the_words_that_say_how(browser: Browser) -> None:
    response = browser.get("/login", follow_redirects=True)
    assert response.status_code == 403
    assert "Not set up yet" in response.text


def test_an_installation_with_people_has_no_setup(world: World) -> None:
    token = setup.token(world.app.config["SECRET_KEY"])
    assert world.browser().get(f"/setup?setup_token={token}").status_code == 404
