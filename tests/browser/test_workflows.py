"""From a connection to a workflow in Chromium, with htmx and with JavaScript off."""

import json
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.servers import Server
from tests.target import Target, a_target

pytestmark = pytest.mark.browser

TOKEN = "a-token-that-nobody-sees-again"


@pytest.fixture
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


def connect(page: Page, name: str, url: str) -> None:
    page.get_by_role("link", name="Connections", exact=True).first.click()
    page.get_by_role("button", name="Create connection").first.click()
    expect(page.get_by_label("Host", exact=True)).to_be_hidden()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Base URL").fill(url)
    page.get_by_role("radio", name="Bearer token").check()
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.locator("#connection-form").get_by_role("button", name="Create connection").click()
    expect(page.get_by_text(f"{name} is stored. Check that it works.")).to_be_visible()


def test_connect_write_mend_and_be_refused(
    page: Page, server: Server, target: Target, javascript: bool
) -> None:
    unique = uuid.uuid4().hex[:6]
    chat, report = f"chat-{unique}", f"report-{unique}"

    # A connection is stored and checked, and its token is in no page.
    connect(page, chat, target.url)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("It answers (HTTP 200).").first).to_be_visible()
    assert target.calls[0].headers["authorization"] == f"Bearer {TOKEN}"
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_role("radio", name="As stored")).to_be_checked()
    assert TOKEN not in page.content()
    page.get_by_label("Base URL").fill(f"{target.url}/v2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Give the credentials again")).to_be_visible()
    page.get_by_role("radio", name="Bearer token").check()
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{chat} was saved.")).to_be_visible()

    # A workflow is written with mistakes, which are mended one after the other.
    page.get_by_role("link", name="Workflows", exact=True).first.click()
    page.get_by_role("link", name="Create workflow").click()
    document = {
        "name": report,
        "steps": [
            {"name": "fetch", "connection": "nowhere", "method": "FETCH", "path": "/items"},
            {"name": "tell", "connection": chat, "method": "POST", "path": "/messages",
             "json": {"text": "{{ steps.fetch.json.path }} on {{ input.day }}"}},
        ],
    }  # fmt: skip
    editor = page.get_by_label("Document (JSON)")
    text = json.dumps(document, indent=1)
    editor.fill(text.replace('"method": "FETCH",', '"method": "FETCH"'))
    page.get_by_role("button", name="Create workflow").click()
    expect(page.locator(".findings").get_by_text("Write a comma after this")).to_be_visible()
    expect(page.locator(".findings code")).to_have_text('"method": "FETCH"')
    expect(editor).to_have_value(text.replace('"method": "FETCH",', '"method": "FETCH"'))
    if javascript:
        expect(editor).to_be_focused()
        assert selected(page) == '   "method": "FETCH"'
    editor.fill(text)
    page.get_by_role("button", name="Create workflow").click()
    expect(page.get_by_role("heading", name="2 things have to be mended")).to_be_visible()
    expect(
        page.locator(".findings").get_by_text("Name a connection of this project.")
    ).to_be_visible()
    if javascript:
        expect(editor).to_be_focused()
        assert selected(page) == '   "connection": "nowhere",'
        page.get_by_role("button", name="Line 7").click()
        assert selected(page) == '   "method": "FETCH",'
        expect(page.locator(".gutter")).to_contain_text("20")
    editor.fill(text.replace("nowhere", chat).replace("FETCH", "GET"))
    page.get_by_role("button", name="Create workflow").click()
    expect(page.get_by_text(f"{report} is saved.")).to_be_visible()

    # It is drawn as its steps.
    steps = page.locator(".step")
    expect(steps).to_have_count(2)
    expect(steps.nth(0)).to_contain_text("GET /items")
    expect(steps.nth(1).get_by_role("link", name="steps.fetch")).to_be_visible()
    expect(steps.nth(1).get_by_role("link", name="input.day")).to_be_visible()
    expect(page.locator("#run")).to_contain_text(report)

    # Its connection can't go, and says why.
    steps.nth(0).get_by_role("link", name=chat).click()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_text("1 workflow uses it:")).to_be_visible()
    expect(page.get_by_role("button", name="Delete connection")).to_have_count(0)
    page.get_by_role("link", name=report).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete workflow").click()
    expect(page.get_by_text(f"{report} was deleted.")).to_be_visible()
    page.get_by_role("link", name="Connections", exact=True).first.click()
    page.get_by_role("link", name=chat).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete connection").click()
    expect(page.get_by_text(f"{chat} was deleted.")).to_be_visible()


def test_two_tabs_do_not_overwrite_each_other(page: Page, server: Server, target: Target) -> None:
    unique = uuid.uuid4().hex[:6]
    chat, report = f"chat-{unique}", f"report-{unique}"
    connect(page, chat, target.url)
    page.get_by_role("link", name="Workflows", exact=True).first.click()
    page.get_by_role("link", name="Create workflow").click()
    step = {"name": "fetch", "connection": chat, "method": "GET", "path": "/"}
    page.get_by_label("Document (JSON)").fill(json.dumps({"name": report, "steps": [step]}))
    page.get_by_role("button", name="Create workflow").click()
    expect(page.get_by_role("heading", name=report, level=1)).to_be_visible()
    other = page.context.new_page()
    for each in (page, other):
        each.goto(page.url.removesuffix("/edit") + "/edit")
    for each, path in ((page, "/one"), (other, "/two")):
        text = json.dumps({"name": report, "steps": [{**step, "path": path}]})
        each.get_by_label("Document (JSON)").fill(text)
        each.get_by_role("button", name="Save workflow").click()
    expect(page.get_by_text(f"{report} is at version 2 now.")).to_be_visible()
    expect(other.get_by_text("you began from version 1.")).to_be_visible()
    expect(other.get_by_label("Document (JSON)")).to_have_value(text)
    other.get_by_role("button", name="Save workflow").click()
    expect(other.get_by_text(f"{report} is at version 3 now.")).to_be_visible()
    expect(other.get_by_text("GET /two")).to_be_visible()


def selected(page: Page) -> str:
    return str(
        page.get_by_label("Document (JSON)").evaluate(
            "(each) => each.value.slice(each.selectionStart, each.selectionEnd)"
        )
    )
