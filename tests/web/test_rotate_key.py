"""Rotation in the browser: a second secret of the same key, and the end of the old one."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.test import TestResponse

from compass.server.core.models import Key, KeySecret
from compass.server.core.rotation import REMEMBERED
from tests.conftest import both
from tests.world import PATH, Browser, World, secret_in


def rotate(
    browser: Browser, key_id: str, htmx: bool = False, days: str | None = None, overlap: str = "24"
) -> TestResponse:
    """`days` None: the field is left out."""
    form = {"overlap_hours": overlap} | ({} if days is None else {"expires_in_days": days})
    return browser.post(f"{PATH}/{key_id}/rotate", form, htmx=htmx)


def passes(world: World, secret: str) -> bool:
    return bool(world.call("/v1/me", secret).status_code == 200)


def is_about(moment: datetime | None, away: timedelta) -> bool:
    assert moment is not None
    return abs(moment - datetime.now(UTC) - away) < timedelta(minutes=1)


@both
@pytest.mark.parametrize("htmx", [False, True])
def test_both_secrets_work_until_the_overlap_ends(world: World, htmx: bool) -> None:
    old, key_id = world.key(role="admin")
    answer = rotate(world.browser("alice"), key_id, htmx=htmx, overlap="1")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("<html" in answer.text) is not htmx
    new = secret_in(answer.text)
    assert passes(world, old)
    assert passes(world, new)
    me = world.call("/v1/me", new).json
    assert (me["key"]["id"], me["key"]["name"], me["role"]) == (key_id, "CI Pipeline", "admin")
    stored = world.stored(key_id)
    assert stored.old_secret is not None
    assert is_about(stored.old_secret.ends_at, timedelta(hours=1))
    world.set_columns(
        KeySecret, KeySecret.ends_at.is_not(None), ends_at=datetime.now(UTC) - timedelta(seconds=1)
    )
    assert world.call("/v1/me", old).json["code"] == "rotated_token"
    assert passes(world, new)


@both
def test_now_ends_the_old_secret_at_once(world: World) -> None:
    old, key_id = world.key()
    new = secret_in(rotate(world.browser("alice"), key_id, overlap="0").text)
    assert world.call("/v1/me", old).json["code"] == "rotated_token"
    assert passes(world, new)


def test_the_new_secret_is_shown_once_with_what_to_do_with_it(world: World) -> None:
    old, key_id = world.key()
    browser = world.browser("alice")
    page = rotate(browser, key_id).text
    new = secret_in(page)
    assert "it cannot be seen again" in page
    assert f"export COMPASS_API_KEY={new}" in page
    assert 'autocomplete="off"' in page
    assert old not in page
    for path in (PATH, f"{PATH}/{key_id}", "/account"):
        assert new not in browser.get(path).text


@both
@pytest.mark.parametrize(
    ("made_for", "typed", "lives_for"),
    [
        ("30", None, 30),  # Left out: its lifetime again.
        ("30", "7", 7),
        ("30", "", None),
        ("", None, None),
        ("", "90", 90),
    ],
)
def test_the_new_expiry(
    world: World, made_for: str, typed: str | None, lives_for: int | None
) -> None:
    _, key_id = world.key(days=made_for)
    world.set_columns(Key, Key.id == key_id, created_at=datetime.now(UTC) - timedelta(days=20))
    assert rotate(world.browser("alice"), key_id, days=typed).status_code == 200
    expires = world.stored(key_id).expires_at
    assert is_about(expires, timedelta(days=lives_for)) if lives_for else expires is None
    assert world.stored(key_id).lifetime_days == lives_for


def test_the_form_has_the_lifetime_of_the_key(world: World) -> None:
    _, key_id = world.key(days="45")
    for htmx in (False, True):
        page = world.browser("alice").get(f"{PATH}/{key_id}/rotate", htmx=htmx).text
        assert 'name="expires_in_days" inputmode="numeric" autocomplete="off" value="45"' in page
        assert 'value="24" checked' in page
        assert "Expires on " in page
        assert ("<html" in page) is not htmx


@both
def test_a_third_secret_is_a_conflict(world: World) -> None:
    old, key_id = world.key()
    browser = world.browser("alice")
    new = secret_in(rotate(browser, key_id).text)
    for overlap in ("24", "0"):
        answer = rotate(browser, key_id, overlap=overlap)
        assert answer.status_code == 409
        assert "two secrets already" in answer.text
    assert browser.get(f"{PATH}/{key_id}/rotate").status_code == 409
    assert passes(world, old)
    assert passes(world, new)


@both
def test_the_old_secret_can_be_ended_at_once(world: World) -> None:
    old, key_id = world.key()
    browser = world.browser("alice")
    new = secret_in(rotate(browser, key_id).text)
    answer = browser.post(f"{PATH}/{key_id}/end-overlap")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PATH}/{key_id}")
    assert world.call("/v1/me", old).json["code"] == "rotated_token"
    assert passes(world, new)
    again = browser.post(f"{PATH}/{key_id}/end-overlap", htmx=True)
    assert again.status_code == 200
    told = json.loads(again.headers["HX-Trigger"])["announce"]["sentence"]
    assert told == "The old secret of CI Pipeline has ended."
    assert len(world.events("key.overlap_ended")) == 1
    assert rotate(browser, key_id).status_code == 200


@both
def test_the_page_shows_the_two_side_by_side(world: World) -> None:
    old, key_id = world.key()
    browser = world.browser("alice")
    single = browser.get(f"{PATH}/{key_id}").text
    assert "Never used" in single
    assert "End the old secret" not in single
    new = secret_in(rotate(browser, key_id).text)
    world.call("/v1/me", old, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    page = browser.get(f"{PATH}/{key_id}").text
    fresh, _, ending = page.partition(">Old<")
    assert f"{new[:15]}…{new[-4:]}" in fresh
    assert "Never used" in fresh
    assert "from 192.0.2.7" in ending
    assert "End the old secret" in ending
    assert "Old secret ends" in browser.get(PATH).text


@both
@pytest.mark.parametrize("overlap", ["", "x", "-1", "169", "1.5", "9" * 5000, "١"])
def test_an_overlap_that_is_none_is_refused(world: World, overlap: str) -> None:
    secret, key_id = world.key()
    for htmx in (False, True):
        answer = rotate(world.browser("alice"), key_id, htmx=htmx, overlap=overlap)
        assert answer.status_code == 422
        assert "Choose how long the old secret goes on working" in answer.text
    assert len(world.stored(key_id).secrets) == 1


def test_all_that_is_wrong_is_said_at_once_and_kept(world: World) -> None:
    _, key_id = world.key()
    page = rotate(world.browser("alice"), key_id, overlap="x", days="1.5").text
    assert "Choose how long the old secret goes on working" in page
    assert "Enter a whole number of days" in page
    assert 'value="1.5"' in page


@both
def test_an_expired_or_revoked_key_can_only_be_made_anew(world: World) -> None:
    browser = world.browser("alice")
    _, expired = world.key("Expired", days="3")
    world.set_columns(Key, Key.id == expired, expires_at=world.stored(expired).created_at)
    _, revoked = world.key("Revoked")
    browser.post(f"{PATH}/{revoked}/revoke")
    for key_id, words in ((expired, "is expired"), (revoked, "is revoked")):
        for answer in (rotate(browser, key_id), browser.get(f"{PATH}/{key_id}/rotate")):
            assert answer.status_code == 409
            assert words in answer.text
        assert f"{key_id}/rotate" not in browser.get(f"{PATH}/{key_id}").text
        assert len(world.stored(key_id).secrets) == 1


@both
def test_who_may_rotate_what(world: World) -> None:
    """Section 4: never another person's token, whatever one's role: it would act as them."""
    world.add_user("dora")
    world.set_role("dora", "admin")
    _, service = world.key("Service")
    old, bobs = world.key("Bob's", by="bob", type="personal")
    for by, key_id, status in (
        ("charlie", service, 404), ("bob", service, 404), ("charlie", bobs, 404),
        ("alice", bobs, 403), ("dora", bobs, 403), ("dora", service, 200), ("bob", bobs, 200),
    ):  # fmt: skip
        browser = world.browser(by)
        assert browser.get(f"{PATH}/{key_id}/rotate").status_code == status, (by, key_id)
        assert rotate(browser, key_id).status_code == status, (by, key_id)
    for by, status in (("charlie", 404), ("alice", 403)):
        assert world.browser(by).post(f"{PATH}/{bobs}/end-overlap").status_code == status
    assert passes(world, old)


@both
def test_each_rotation_is_an_event_without_a_secret(world: World) -> None:
    old, key_id = world.key()
    new = secret_in(rotate(world.browser("alice"), key_id, days="30").text)
    (event,) = world.events("key.rotated")
    assert (event.actor_id, event.target_id) == (world.alice, key_id)
    hint = f"{new[:15]}…{new[-4:]}"
    assert event.details == {"hint": hint, "overlap_hours": 24, "days": 30}


def test_the_page_tells_the_history(world: World) -> None:
    secret, key_id = world.key(days="30")
    browser = world.browser("alice")
    browser.post(f"{PATH}/{key_id}/rename", {"name": "Nightly"})
    new = secret_in(rotate(browser, key_id, overlap="1").text)
    browser.post(f"{PATH}/{key_id}/end-overlap")
    world.call("/v1/keys/self/revoke", new, "POST")
    page = " ".join(browser.get(f"{PATH}/{key_id}").text.partition('id="history"')[2].split())
    places = [
        page.index(words)
        for words in (
            "Revoked", "by the key itself", "Ended the old secret", "Rotated: new secret",
            "kept for 1 hour; to expire after 30 days", "Renamed from CI Pipeline",
            "Created for 30 days",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    assert secret not in page
    assert new not in page


def shown_secret(page: str, action: str) -> str:
    """The secret that a form of the page is about."""
    found = re.search(rf'{action}".*?name="secret" value="(\d+)"', page, re.DOTALL)
    assert found
    return found.group(1)


@both
def test_a_stale_page_ends_no_other_secret_than_the_one_it_shows(world: World) -> None:
    first, key_id = world.key()
    browser = world.browser("alice")
    second = secret_in(rotate(browser, key_id).text)
    stale = {"secret": shown_secret(browser.get(f"{PATH}/{key_id}").text, "/end-overlap")}
    browser.post(f"{PATH}/{key_id}/end-overlap", stale)
    third = secret_in(rotate(browser, key_id).text)
    assert browser.post(f"{PATH}/{key_id}/end-overlap", stale).status_code == 303
    assert not passes(world, first)
    assert passes(world, second)
    assert passes(world, third)


@both
def test_a_stale_form_replaces_no_other_secret_than_the_one_it_shows(world: World) -> None:
    """Also one that is sent twice: nobody is left with a secret that has ended already."""
    _, key_id = world.key()
    browser = world.browser("alice")
    form = browser.get(f"{PATH}/{key_id}/rotate").text
    stale = {"overlap_hours": "0", "secret": shown_secret(form, "/rotate")}
    new = secret_in(browser.post(f"{PATH}/{key_id}/rotate", stale).text)
    for htmx in (False, True):
        again = browser.post(f"{PATH}/{key_id}/rotate", stale, htmx=htmx)
        assert again.status_code == 409
        assert "was rotated already" in again.text
        assert ("HX-Refresh" in again.headers) is htmx
    assert "was rotated already" in browser.get(f"{PATH}/{key_id}").text
    assert passes(world, new)
    for nonsense in ("x", "-1", "9" * 50):
        assert (
            browser.post(f"{PATH}/{key_id}/rotate", stale | {"secret": nonsense}).status_code == 409
        )


@both
def test_a_rotation_whose_secret_was_lost_can_be_taken_back(world: World) -> None:
    old, key_id = world.key()
    browser = world.browser("alice")
    lost = secret_in(rotate(browser, key_id).text)
    page = browser.get(f"{PATH}/{key_id}").text
    form = {"secret": shown_secret(page, "/take-back")}
    assert browser.post(f"{PATH}/{key_id}/take-back", form).status_code == 303
    assert world.call("/v1/me", lost).json["code"] == "rotated_token"
    assert passes(world, old)
    stored = world.stored(key_id)
    assert stored.old_secret is None
    assert stored.hint == f"{old[:15]}…{old[-4:]}"
    assert world.call("/v1/me", old).json["key"]["hint"] == stored.hint
    assert [event.details["hint"] for event in world.events("key.rotation_taken_back")] == [
        f"{lost[:15]}…{lost[-4:]}"
    ]
    assert browser.post(f"{PATH}/{key_id}/take-back", form).status_code == 409
    assert passes(world, secret_in(rotate(browser, key_id).text))


@both
def test_a_new_secret_that_is_in_use_is_not_taken_back(world: World) -> None:
    old, key_id = world.key()
    browser = world.browser("alice")
    new = secret_in(rotate(browser, key_id).text)
    world.call("/v1/me", new)
    assert "/take-back" not in browser.get(f"{PATH}/{key_id}").text
    for htmx in (False, True):
        answer = browser.post(f"{PATH}/{key_id}/take-back", htmx=htmx)
        assert answer.status_code == 409
        assert "in use already" in answer.text
    assert passes(world, new)
    assert passes(world, old)
    browser.post(f"{PATH}/{key_id}/end-overlap")
    assert browser.post(f"{PATH}/{key_id}/take-back").status_code == 409
    assert passes(world, new)


@both
def test_the_last_use_is_remembered_through_any_number_of_rotations(world: World) -> None:
    secret, key_id = world.key()
    world.call("/v1/me", secret)
    used = world.stored(key_id).last_used_at
    browser = world.browser("alice")
    for _ in range(REMEMBERED + 2):
        assert rotate(browser, key_id, overlap="0").status_code == 200
    assert world.call("/v1/me", secret).json["code"] == "rotated_token"
    assert world.stored(key_id).last_used_at == used
