"""From invitation to removal in Chromium, with htmx and with JavaScript off."""

import uuid
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.servers import Server
from tests.world import PASSWORD

pytestmark = pytest.mark.browser


def test_invite_accept_work_and_be_removed(
    open_page: Callable[[], Page], page: Page, server: Server
) -> None:
    name = f"Grace {uuid.uuid4().hex[:6]}"
    email = f"{name.lower().replace(' ', '.')}@example.org"

    # Ada invites.
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="Invite somebody").click()
    page.get_by_label("Email", exact=True).fill(email)
    page.get_by_label("Project", exact=True).select_option("Default")
    page.get_by_role("button", name="Make the link").click()
    field = page.get_by_role("textbox", name="The invitation's link")
    expect(field).to_be_focused()
    link = field.input_value()
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("row", name=email)).to_be_visible()

    # Grace accepts, and makes a key.
    hers = open_page()
    hers.goto(link)
    hers.get_by_label("Your name").fill(name)
    hers.get_by_label("Password").fill(PASSWORD)
    hers.get_by_role("button", name="Create account").click()
    hers.wait_for_url("**/api-keys")
    hers.get_by_role("button", name="Create key").first.click()
    hers.get_by_label("Name", exact=True).fill(f"Notebook of {name}")
    hers.locator(".card.open").get_by_role("button", name="Create key").click()
    secret = hers.get_by_label("The new key").input_value()
    call = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{server.url}/v1/me", headers=call).json()["user"]["email"] == email

    # Ada is told what stops, puts a service account in its place, and removes her.
    page.get_by_role("link", name="Members").click()
    page.get_by_role("row", name=name).get_by_role("link", name="Remove").click()
    expect(page.get_by_text("1 personal token will stop")).to_be_visible()
    page.get_by_role("button", name="Make a service account").click()
    instead = page.get_by_label("The new key").input_value()
    done = page.get_by_role("link", name="Done")
    if done.is_visible():
        done.click()
    page.get_by_role("button", name="Remove member").click()
    expect(page.get_by_text(f"{name} was removed from Default.")).to_be_visible()

    assert httpx.get(f"{server.url}/v1/me", headers=call).json()["code"] == "owner_inactive"
    call = {"Authorization": f"Bearer {instead}"}
    assert (
        httpx.get(f"{server.url}/v1/me", headers=call).json()["key"]["name"]
        == f"Notebook of {name}"
    )
    hers.goto(f"{server.url}/projects")
    expect(hers.get_by_text("You are not in a project yet")).to_be_visible()


def test_a_lost_password(open_page: Callable[[], Page], page: Page, server: Server) -> None:
    """Ada hands out a link to herself, for want of anybody else."""
    page.get_by_role("link", name="People").click()
    page.get_by_role("row", name="ada@example.org").get_by_role("link", name="Manage").click()
    page.get_by_role("button", name="Make a password-reset link").click()
    link = page.get_by_role("textbox", name="The password-reset link").input_value()
    there = open_page()
    there.goto(link)
    there.get_by_label("New password").fill(PASSWORD)
    there.get_by_role("button", name="Set password").click()
    there.wait_for_url("**/api-keys")
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_project_is_made_and_deleted(page: Page) -> None:
    name = f"Project {uuid.uuid4().hex[:6]}"
    page.get_by_role("link", name="Projects", exact=True).first.click()
    page.get_by_role("button", name="Create project").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.locator("#project-form").get_by_role("button", name="Create project").click()
    expect(page.get_by_text(f"{name} is ready.")).to_be_visible()
    page.get_by_role("link", name="General").click()
    page.get_by_role("button", name="Delete project").click()
    page.get_by_label("The project's name").fill(name)
    page.get_by_role("button", name="Delete project").click()
    expect(page.get_by_text(f"{name} was deleted.")).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_have_count(0)
