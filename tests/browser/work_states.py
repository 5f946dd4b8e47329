"""How the pages of connections and workflows get into their states."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.api.test_workflows import REPORT
from tests.test_routes import CONNECTION
from tests.web.test_workflows import MISTAKEN
from tests.world import World


def work(world: World, secret: str, long: str) -> dict[str, str]:
    """Ids of connections, and of a workflow that uses two of them; made by key."""
    postgres = {"host": "db.example.org", "database": "orders", "user": "report"}
    given: dict[str, tuple[str, dict[str, Any]]] = {
        "unused": ("connections", {**CONNECTION, "name": long}),
        "warehouse": (
            "connections",
            {
                "name": "warehouse",
                "kind": "postgres",
                "config": postgres,
                "credentials": {"password": "not shown"},
            },
        ),
        "chat": ("connections", {**CONNECTION, "name": "chat"}),
        "workflow": ("workflows", REPORT),
    }
    made = {}
    for name, (kind, body) in given.items():
        made[name] = world.call(f"/v1/{kind}", secret, "POST", json=body).json["id"]
    return made


def open_the_connection_form(page: Page) -> None:
    page.get_by_role("button", name="Create connection", exact=True).click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()


def describe_a_database(page: Page) -> None:
    open_the_connection_form(page)
    page.get_by_role("radio", name="PostgreSQL").check()
    expect(page.get_by_label("Database", exact=True)).to_be_visible()
    expect(page.get_by_label("Base URL")).to_be_hidden()


def store_nothing(page: Page) -> None:
    open_the_connection_form(page)
    page.get_by_role("radio", name="Bearer token").check()
    page.locator("#connection-form").get_by_role("button", name="Create connection").click()
    expect(page.get_by_text("Give the token.")).to_be_visible()


def lead_elsewhere(page: Page) -> None:
    page.get_by_label("Base URL").fill("https://new.example.org")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Give the credentials again")).to_be_visible()


def check_in_the_list(page: Page) -> None:
    row = page.get_by_role("row", name="chat")
    row.get_by_role("button", name="Check").click()
    expect(row.get_by_text("Failed")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("can't be reached")


def write_mistakes(page: Page) -> None:
    page.get_by_label("Document (JSON)").fill(MISTAKEN)
    page.locator(".editor [type=submit]").click()
    expect(page.get_by_role("button", name="Line 1", exact=True).first).to_be_visible()


def open_the_document(page: Page) -> None:
    page.get_by_text("The whole document").click()


def save_an_old_version(page: Page) -> None:
    page.locator("[name=version]").evaluate("each => { each.value = '7'; }")
    text = page.get_by_label("Document (JSON)").input_value()
    page.get_by_label("Document (JSON)").fill(text.replace("/messages", "/other"))
    page.get_by_role("button", name="Save workflow", exact=True).click()
    expect(page.get_by_text("Your text is still here.")).to_be_visible()
