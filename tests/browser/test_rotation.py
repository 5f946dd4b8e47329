"""Rotation in Chromium, with htmx and with JavaScript off."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_walk import create, new_name
from tests.servers import Server

pytestmark = pytest.mark.browser


def rotate(page: Page, name: str) -> str:
    """From the list to the new secret."""
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Rotate", exact=True).click()
    expect(page.get_by_role("radio", name="In 24 hours")).to_be_focused()
    page.get_by_role("button", name="Rotate key").click()
    field = page.get_by_role("textbox", name="The new secret")
    expect(field).to_be_visible()
    return field.input_value()


def code(server: Server, secret: str) -> str:
    return str(server.get("/v1/me", secret).json().get("code", "passes"))


def test_both_secrets_work_until_the_old_one_is_ended(
    page: Page, server: Server, javascript: bool
) -> None:
    name = new_name()
    old = create(page, name)
    new = rotate(page, name)
    assert new != old
    expect(page.get_by_role("textbox", name="The new secret")).to_be_focused()
    expect(page.get_by_text("it cannot be seen again")).to_be_visible()
    assert code(server, old) == code(server, new) == "passes"
    # With the page around it already told of: no reload is needed to see the two.
    expect(page.get_by_role("heading", name="Two secrets")).to_be_visible()
    expect(page.locator("#history")).to_contain_text("Rotated: new secret")
    expect(page.get_by_role("button", name="Rotate", exact=True)).to_have_count(0)
    if javascript:
        assert re.search(r"/key_\w+$", page.url)

    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("textbox", name="The new secret")).to_have_count(0)
    assert new not in page.content()
    if javascript:
        # Without, Chromium asks before it sends the form again, and shows nothing.
        page.go_back()
        page.wait_for_load_state()
        assert new not in page.content()
    page.get_by_role("link", name="API Keys").first.click()
    expect(page.locator("tr", has_text=name)).to_contain_text("Old secret ends in 24 hours")
    page.get_by_role("link", name=name).click()

    page.get_by_text("End it now").click()
    expect(page.get_by_text("stops working at once")).to_be_visible()
    assert code(server, old) == "passes"
    page.get_by_role("button", name="End the old secret").click()
    expect(page.get_by_role("heading", name="Secret", exact=True)).to_be_visible()
    if javascript:
        expect(page.get_by_role("heading", name="Secret", exact=True)).to_be_focused()
        expect(page.locator("#live")).to_have_text(f"The old secret of {name} has ended.")
    else:
        expect(page.get_by_role("status").first).to_contain_text("has ended")
    assert code(server, old) == "rotated_token"
    assert code(server, new) == "passes"


def test_what_is_wrong_is_said_at_its_field(page: Page) -> None:
    name = new_name()
    create(page, name)
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Rotate", exact=True).click()
    page.get_by_role("radio", name="Now").check()
    page.get_by_label("Expires after").fill("0")
    page.get_by_role("button", name="Rotate key").click()
    expect(page.get_by_text("Enter from 1 to 3650 days.")).to_be_visible()
    expect(page.get_by_label("Expires after")).to_be_focused()
    expect(page.get_by_role("radio", name="Now")).to_be_checked()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("button", name="Rotate", exact=True)).to_be_visible()


def test_the_day_follows_the_number_as_one_types(page: Page, javascript: bool) -> None:
    if not javascript:
        return
    name = new_name()
    create(page, name)
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Rotate", exact=True).click()
    page.get_by_role("radio", name="In 7 days").check()
    expect(page.locator("#expiry-day")).to_have_text("Never expires.")
    page.get_by_role("button", name="90 days").click()
    expect(page.locator("#expiry-day")).to_contain_text("Expires on ")
    expect(page.get_by_role("radio", name="In 7 days")).to_be_checked()
