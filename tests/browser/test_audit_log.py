"""The audit log as somebody uses it, with JavaScript and without."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_walk import create, new_name
from tests.servers import Server


def test_filter_follow_a_name_and_take_it_away(
    page: Page, server: Server, javascript: bool, tmp_path: Path
) -> None:
    audited, other = new_name(), new_name()
    for name in (audited, other):
        page.goto(f"{server.url}/settings/developers/api-keys")
        create(page, name)
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()

    page.get_by_label("Key", exact=True).fill(audited)
    page.get_by_label("What", exact=True).select_option("Created a key")
    if not javascript:
        page.get_by_role("button", name="Filter").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(audited)
    expect(page).to_have_url(re.compile("action=key.created.*key=Key"))

    with page.expect_download() as download:
        page.get_by_role("link", name="Export JSON lines").click()
    download.value.save_as(tmp_path / "file")
    (line,) = (tmp_path / "file").read_text().splitlines()
    assert json.loads(line)["target"]["name"] == audited

    rows.get_by_role("link", name="Ada Lovelace").click()
    expect(page.get_by_label("Who", exact=True)).to_have_value("ada@example.org")
    expect(page.get_by_label("Key", exact=True)).to_have_value(audited)
    page.get_by_role("link", name="Show all events").click()
    expect(page.get_by_label("Who", exact=True)).to_have_value("")
    expect(page.get_by_text(other).first).to_be_visible()

    page.go_back()
    expect(page.get_by_label("Who", exact=True)).to_have_value("ada@example.org")
    page.get_by_role("link", name=audited, exact=True).click()
    expect(page.get_by_role("heading", name=audited)).to_be_visible()


only_javascript = pytest.mark.parametrize("javascript", ["javascript"], indirect=True)


@only_javascript
def test_what_is_typed_counts_for_an_export_before_the_list_has_followed(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.url}/settings/organization/audit")
    page.get_by_label("Who", exact=True).fill("nobody-here@example.org")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert "actor=nobody-here%40example.org" in download.value.url


@only_javascript
def test_a_pasted_key_is_asked_for_by_its_hint(page: Page, server: Server) -> None:
    asked: list[str] = []
    page.goto(f"{server.url}/settings/organization/audit")
    page.on("request", lambda request: asked.append(request.url))
    field = page.get_by_label("Key", exact=True)
    pasted = "compass_sa_" + "0" * 40 + "4OSWh2"
    field.fill(pasted)
    field.press("Enter")
    expect(page.get_by_role("heading", name="No event matches")).to_be_visible()
    expect(field).to_have_value("compass_sa_0000…SWh2")
    assert asked
    assert not any(pasted in each for each in [*asked, page.url])
