"""Expiry without surprises: marked and told from 14 days on, to those who can act."""

import pytest

from compass.server.core.models import Key
from tests.conftest import both
from tests.world import PATH, World


def banner(world: World, by: str, path: str = PATH) -> str:
    page = world.browser(by).get(path).text
    return " ".join(
        page.partition('aria-label="Keys that expire soon"')[2].partition("</as")[0].split()
    )


@both
@pytest.mark.parametrize(("days", "marked"), [("14", True), ("15", False), ("", False)])
def test_a_key_is_marked_in_its_last_14_days(world: World, days: str, marked: bool) -> None:
    _, key_id = world.key(days=days)
    browser = world.browser("alice")
    assert ("Expires in 14 days" in browser.get(PATH).text) is marked
    assert ("Rotate it to give it a new lifetime" in browser.get(f"{PATH}/{key_id}").text) is marked
    assert bool(banner(world, "alice")) is marked
    assert bool(banner(world, "alice", "/account")) is marked


@both
def test_only_those_who_can_act_are_told(world: World) -> None:
    world.key("Service", days="3")
    world.key("Bob laptop", by="bob", type="personal", days="5")
    assert "Service</a> expires in 3 days" in banner(world, "alice")
    assert "Bob" not in banner(world, "alice")
    assert "Bob laptop</a> expires in 5 days" in banner(world, "bob")
    assert banner(world, "charlie") == ""
    world.set_role("bob", "admin")
    assert "2 keys expire soon" in banner(world, "bob")


@both
def test_many_are_counted_and_the_first_named(world: World) -> None:
    for days in range(1, 6):
        world.key(f"Key {days}", days=str(days))
    told = banner(world, "alice")
    assert "5 keys expire soon" in told
    assert told.index("Key 1") < told.index("Key 2") < told.index("Key 3") < told.index("2 more")
    assert "Key 4" not in told


@both
def test_what_has_ended_or_was_rotated_is_not_told(world: World) -> None:
    browser = world.browser("alice")
    _, expired = world.key("Expired", days="3")
    _, revoked = world.key("Revoked", days="3")
    _, rotated = world.key("Rotated", days="3")
    world.set_columns(Key, Key.id == expired, expires_at=world.stored(expired).created_at)
    browser.post(f"{PATH}/{revoked}/revoke")
    form = {"overlap_hours": "0", "expires_in_days": "90"}
    assert browser.post(f"{PATH}/{rotated}/rotate", form).status_code == 200
    assert banner(world, "alice") == ""
    page = browser.get(f"{PATH}/{expired}").text
    assert "can't be prolonged" in page


def test_a_partial_has_no_banner(world: World) -> None:
    world.key(days="3")
    page = world.browser("alice").get(PATH, htmx=True).text
    assert "Keys that expire soon" not in page
