"""How the pages of runs get into their states."""

from typing import Any

from playwright.sync_api import Page, expect

from compass.server.core import execution
from compass.server.core.run_models import Run
from tests.work import Hand
from tests.world import World

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["day", "sure"],
    "properties": {
        "day": {"type": "string", "format": "date", "description": "The day to report on."},
        "most": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        "channel": {"enum": ["#orders", "#all"]},
        "sure": {"type": "boolean", "description": "Also tell the customers."},
        "filters": {"type": "array", "items": {"type": "string"}},
    },
}
ASKED = {
    "sql": "select count(*) as n\nfrom orders\nwhere day = %(day)s",
    "params": {"day": "2026-11-01"},
}
ANSWERED = {"rows": [{"n": 128}], "row_count": 1}
MESSAGE = (
    "POST https://chat.example.org/messages was answered with HTTP 403. Look into what the "
    "connection's credentials may do there."
)


def runs(world: World, secret: str, workflow: str) -> dict[str, str]:
    """Ids of runs of that workflow, one in each state, made by key; no worker may be there."""
    names = ("queued", "running", "succeeded", "failed", "cancelled", "handed_back")
    body = {"workflow": workflow, "input": {"day": "2026-11-01"}}
    made = {each: world.call("/v1/runs", secret, "POST", json=body).json["id"] for each in names}
    hands = {each: Hand(world, made[each]) for each in names}
    told = {"ms": 41.7, "asked": ASKED, "attempt": 1}
    for each in names[1:]:
        hands[each].take()
        hands[each].write(execution.record_step, "orders", ANSWERED, told)
    hands["succeeded"].write(
        execution.succeed, "post", {"status": 200, "headers": {}, "text": "ok"},
        {"ms": 212.4, "attempt": 1, "asked": {"method": "POST", "headers": {"authorization": "x"}}},
        {"count": 128},
    )  # fmt: skip
    hands["failed"].write(execution.fail, "http_status", MESSAGE, "post", {"ms": 98.0})
    world.call(f"/v1/runs/{made['cancelled']}/cancel", secret, "POST")
    hands["cancelled"].hand_back()
    hands["cancelled"].take_to_the_end()
    hands["handed_back"].hand_back()
    hands["handed_back"].take()
    members = {"name": "form", "input_schema": SCHEMA, "steps": [
        {"name": "say", "connection": "chat", "method": "GET", "path": "/"}
    ]}  # fmt: skip
    made["form"] = world.call("/v1/workflows", secret, "POST", json=members).json["id"]
    world.set_columns(Run, Run.id == made["failed"], starter_name="A key with rather a long name")
    return made


def open_all(page: Page) -> None:
    for summary in page.locator(".timeline summary").all():
        summary.click()


def start_wrongly(page: Page) -> None:
    page.get_by_label("most").fill("0")
    page.get_by_label("filters").fill("[1,")
    page.get_by_role("button", name="Start run").click()
    expect(page.get_by_text("Fill this in")).to_be_visible()
    expect(page.locator("[aria-invalid]").first).to_be_focused()
