"""Of an existing key only the name can be edited."""

import pytest

from tests.conftest import both
from tests.world import PATH, World


@both
def test_a_name_changes_and_nothing_else(world: World) -> None:
    secret, key_id = world.key()
    browser = world.browser("alice")
    response = browser.post(f"{PATH}/{key_id}/rename", {"name": " Nightly "})
    assert (response.status_code, response.headers["Location"]) == (303, f"{PATH}/{key_id}")
    assert world.call("/v1/me", secret).json["key"]["name"] == "Nightly"
    assert [e.details for e in world.events("key.renamed")] == [{"old_name": "CI Pipeline"}]


def test_htmx_gets_the_form_back(world: World) -> None:
    _, key_id = world.key()
    browser = world.browser("alice")
    response = browser.post(f"{PATH}/{key_id}/rename", {"name": "Nightly"}, htmx=True)
    assert response.status_code == 200
    assert "<html" not in response.text
    assert 'value="Nightly"' in response.text
    assert "Renamed to Nightly." in response.headers["HX-Trigger"]


@both
def test_a_taken_name_is_refused(world: World) -> None:
    _, key_id = world.key("One")
    world.key("Two")
    for htmx in (False, True):
        response = world.browser("alice").post(
            f"{PATH}/{key_id}/rename", {"name": "Two"}, htmx=htmx
        )
        assert response.status_code == 422
        assert "There is already a live key named Two in Default." in response.text
        assert 'value="Two"' in response.text
    assert world.stored(key_id).name == "One"


@pytest.mark.parametrize("name", ["", "x" * 81, "\u202e"])
def test_a_bad_name_is_refused(world: World, name: str) -> None:
    _, key_id = world.key()
    assert world.browser("alice").post(f"{PATH}/{key_id}/rename", {"name": name}).status_code == 422


def test_a_revoked_key_keeps_its_name(world: World) -> None:
    _, key_id = world.key()
    browser = world.browser("alice")
    browser.post(f"{PATH}/{key_id}/revoke")
    response = browser.post(f"{PATH}/{key_id}/rename", {"name": "New"})
    assert response.status_code == 409
    assert "A revoked key keeps its name." in response.text


def test_a_foreign_key_is_not_found(world: World) -> None:
    _, key_id = world.key()
    for by in ("bob", "charlie"):
        response = world.browser(by).post(f"{PATH}/{key_id}/rename", {"name": "New"})
        assert response.status_code == 404
