"""The walk of the README in Chromium, with htmx and with JavaScript off."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import set_up, sign_in
from tests.servers import Server, serving

pytestmark = pytest.mark.browser


def create(page: Page, name: str, kind: str = "Service account") -> str:
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("radio", name=kind).check()
    page.locator(".card.open").get_by_role("button", name="Create key").click()
    expect(page.get_by_text(f"{name} is ready")).to_be_visible()
    return page.get_by_label("The new key").input_value()


def new_name() -> str:
    return f"Key {uuid.uuid4().hex[:8]}"


def row(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.locator("tr", has_text=name)


def test_set_up_sign_out_and_sign_in(open_page: Callable[[], Page], tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        page = open_page()
        set_up(page, server.setup_link)
        expect(page.get_by_role("heading", name="No keys yet")).to_be_visible()
        page.locator("details.person summary").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.goto(f"{server.url}/account")
        page.get_by_label("Email").fill("ada@example.org")
        page.get_by_label("Password").fill("wrong wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("Email or password is wrong.")
        sign_in(page)
        expect(page.get_by_role("heading", name="Account")).to_be_visible()


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("Service account", "compass_sa_"), ("Personal token", "compass_pat_")],
)
def test_a_created_key_works_is_shown_once_and_stops_when_revoked(
    page: Page, server: Server, kind: str, prefix: str, javascript: bool
) -> None:
    name = new_name()
    secret = create(page, name, kind)
    assert secret.startswith(prefix)
    assert page.url.endswith("/settings/developers/api-keys")
    assert server.get("/v1/me", secret).json()["key"]["name"] == name
    expect(row(page, name)).to_be_visible()

    page.get_by_role("link", name="Done").click()
    expect(row(page, name)).to_be_visible()
    assert secret not in page.content()
    page.go_back()
    page.wait_for_load_state()
    assert secret not in page.content()
    page.goto(f"{server.url}/settings/developers/api-keys")
    page.reload()
    assert secret not in page.content()

    row(page, name).get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text(f"Revoke {name}?")).to_be_visible()
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    assert server.get("/v1/me", secret).status_code == 200
    page.get_by_role("button", name="Revoke key", exact=True).click()
    expect(row(page, name).get_by_text("Revoked", exact=True)).to_be_visible()
    expect(row(page, name)).to_contain_text("by Ada Lovelace")
    if javascript:
        expect(page.get_by_role("status")).to_have_text(f"Revoked {name}.")
        expect(row(page, name)).to_be_focused()
    assert server.get("/v1/me", secret).json()["code"] == "revoked_token"


def test_cancel_leaves_the_key_as_it_was(page: Page, server: Server) -> None:
    name = new_name()
    secret = create(page, name)
    page.get_by_role("link", name="Done").click()
    row(page, name).get_by_role("button", name="Revoke", exact=True).click()
    page.get_by_role("link", name="Cancel").click()
    expect(row(page, name).get_by_text("Active")).to_be_visible()
    assert server.get("/v1/me", secret).status_code == 200


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(page: Page) -> None:
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("Expires after").fill("1.5")
    page.locator(".card.open").get_by_role("button", name="Create key").click()
    expect(page.get_by_text("Give the key a name.")).to_be_visible()
    expect(page.get_by_text("Enter a whole number of days")).to_be_visible()
    expect(page.get_by_label("Expires after")).to_have_value("1.5")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()


def test_filters(page: Page, server: Server, javascript: bool) -> None:
    kept, gone = new_name(), new_name()
    create(page, kept)
    create_again = f"{server.url}/settings/developers/api-keys"
    page.goto(create_again)
    create(page, gone)
    page.get_by_role("link", name="Done").click()
    row(page, gone).get_by_role("button", name="Revoke", exact=True).click()
    page.get_by_role("button", name="Revoke key", exact=True).click()
    expect(row(page, gone).get_by_text("Revoked", exact=True)).to_be_visible()

    page.get_by_label("Status").select_option("Revoked")
    if not javascript:
        page.get_by_role("button", name="Filter").click()
    expect(row(page, kept)).to_have_count(0)
    expect(row(page, gone)).to_be_visible()
    assert "status=revoked" in page.url
    page.get_by_label("Status").select_option("Any status")
    page.get_by_label("Search").fill(kept)
    if not javascript:
        page.get_by_role("button", name="Filter").click()
    expect(row(page, gone)).to_have_count(0)
    expect(row(page, kept)).to_be_visible()
    page.go_back()
    expect(row(page, gone)).to_be_visible()


def test_renaming_on_the_keys_own_page(page: Page) -> None:
    name, new = new_name(), new_name()
    create(page, name)
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.get_by_label("Name", exact=True).fill(new)
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value(new)
    page.get_by_role("link", name="API Keys").first.click()
    expect(row(page, new)).to_be_visible()


def test_the_theme_can_be_pinned(page: Page) -> None:
    page.locator("details.person summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = "rgb(14, 19, 20)"
    expect(page.locator("body")).to_have_css("background-color", dark)
