"""What only JavaScript can do: copying, swapping the form, forgetting the secret."""

import re
import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import PLAIN_HOST, sign_in
from tests.browser.test_walk import create, new_name
from tests.servers import COMMAND, Server, clean_environment

pytestmark = pytest.mark.browser


@pytest.fixture(params=["javascript"])
def javascript(request: pytest.FixtureRequest) -> bool:
    return True


def test_copy_puts_the_key_on_the_clipboard(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    secret = create(page, new_name())
    expect(page.get_by_label("The new key")).to_be_focused()
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == secret


def test_copy_works_on_plain_http_too(
    open_page: Callable[[], Page], server: Server, chromium: Browser
) -> None:
    page = open_page()
    url = server.url.replace("127.0.0.1", PLAIN_HOST)
    page.goto(f"{url}/login")
    sign_in(page)
    page.wait_for_url("**/api-keys")
    assert page.evaluate("window.isSecureContext") is False
    assert page.evaluate("navigator.clipboard") is None
    secret = create(page, new_name())
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    # Read it back by pasting, as a person would.
    page.get_by_label("Search").focus()
    page.keyboard.press("Control+V")
    expect(page.get_by_label("Search")).to_have_value(secret)


def test_a_copy_that_fails_says_so(page: Page) -> None:
    page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no'));"
        " document.execCommand = () => false; }"
    )
    create(page, new_name())
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("status")).to_contain_text("Copying failed.")
    expect(page.get_by_role("button", name="Copied")).to_have_count(0)


def test_leaving_the_page_empties_what_held_the_secret(page: Page) -> None:
    secret = create(page, new_name())
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert secret not in page.content()
    assert page.get_by_label("The new key").input_value() == ""


def test_a_reload_after_creation_shows_the_list(page: Page) -> None:
    secret = create(page, new_name())
    page.reload()
    expect(page.get_by_role("heading", name="API Keys")).to_be_visible()
    assert secret not in page.content()


def test_no_browser_storage_holds_the_secret(page: Page) -> None:
    secret = create(page, new_name())
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert secret not in stored
    assert secret not in str(page.context.cookies())
    assert secret not in page.evaluate("JSON.stringify(history.state)")


def test_the_form_opens_in_place_at_once(page: Page) -> None:
    url = page.url
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    assert page.url == url
    expect(page.get_by_role("button", name="Create key")).to_have_count(1)


def test_choosing_the_type_swaps_the_rest_and_keeps_what_was_typed(page: Page) -> None:
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("Name", exact=True).fill("Kept")
    page.get_by_role("radio", name="Personal token").check()
    expect(page.get_by_text("The token acts as you. In Default you are admin now")).to_be_visible()
    expect(page.get_by_label("Admin")).to_be_checked()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Kept")
    expect(page.get_by_label("Personal token")).to_be_focused()
    page.get_by_role("radio", name="Service account").check()
    expect(page.get_by_text("The token acts as you.")).to_have_count(0)
    expect(page.get_by_label("Member")).to_be_checked()


def test_while_the_form_changes_no_role_can_be_chosen(page: Page) -> None:
    """An answer that comes late would take the choice back, from Member to Admin."""
    held: list[Route] = []
    page.route("**/api-keys/new?*", lambda route: held.append(route))
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("radio", name="Personal token").check()
    expect(page.get_by_role("radio", name="Member")).to_be_disabled()
    expect(page.get_by_role("button", name="Create key")).to_be_disabled()
    held[0].continue_()
    expect(page.get_by_role("radio", name="Admin")).to_be_checked()
    expect(page.get_by_role("radio", name="Member")).to_be_enabled()
    expect(page.get_by_role("button", name="Create key")).to_be_enabled()


def test_the_day_follows_the_number_as_one_types(page: Page) -> None:
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("#expiry-day")).to_have_text("Never expires.")
    page.get_by_role("button", name="90 days").click()
    expect(page.get_by_label("Expires after")).to_have_value("90")
    expect(page.locator("#expiry-day")).to_contain_text("Expires on ")
    page.get_by_label("Expires after").fill("nonsense")
    expect(page.locator("#expiry-day")).to_contain_text("Enter a whole number")


def test_a_session_that_ended_leads_to_sign_in(page: Page) -> None:
    page.get_by_role("button", name="Create key").click()
    page.context.clear_cookies()
    # Not check(): the page is left before it could see that the radio is checked.
    page.get_by_role("radio", name="Personal token").click()
    page.wait_for_url("**/login?next=/settings/developers/api-keys")


def test_a_server_that_is_gone_is_said(page: Page, server: Server) -> None:
    page.route("**/api-keys/new?*", lambda route: route.abort())
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("radio", name="Personal token").check()
    expect(page.get_by_role("status")).to_contain_text("The server can't be reached.")


def test_a_search_does_not_swallow_the_next_click(page: Page) -> None:
    """Leaving a field that was typed in is a change of it: that must not swap the rows again
    under the pointer."""
    name = new_name()
    create(page, name)
    page.get_by_role("link", name="Done").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("Search").press_sequentially(name)
    expect(page.locator("#keys tbody tr")).to_have_count(1)
    page.wait_for_url(re.compile(f"q=Key(%20|[+]){name.removeprefix('Key ')}"))
    asked.clear()
    target = page.get_by_role("button", name="Revoke", exact=True).bounding_box()
    assert target
    page.mouse.move(target["x"] + 5, target["y"] + 5)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_text(f"Revoke {name}?")).to_be_visible()
    assert [url for url in asked if "q=" in url] == []
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("button", name="Revoke", exact=True)).to_be_focused()


def test_the_form_opens_on_the_project_in_view(page: Page, server: Server) -> None:
    create(page, new_name())
    environment = clean_environment(COMPASS_HOME=str(server.home))
    command = [*COMMAND, "projects", "create", "Another"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    page.goto(f"{server.url}/settings/developers/api-keys")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("radio", name="Personal token").check()
    expect(page.get_by_role("radio", name="Admin")).to_be_checked()
    page.get_by_role("radio", name="Member").check()
    page.locator("#project").select_option("Another")
    expect(page.get_by_text("In Another you are admin now")).to_be_visible()
    expect(page.get_by_role("radio", name="Member")).to_be_checked()
    page.get_by_role("link", name="Cancel").click()
    page.locator(".filters [name=project]").select_option("Another")
    page.wait_for_url("**project=prj_**")
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("#project option:checked")).to_have_text("Another")
