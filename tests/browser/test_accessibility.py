"""Every page, in every state that it can be in, by axe-core's rules, in both themes and on both a
desk's and a phone's width; and all of it by keyboard."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.states import STATES, THEMES, WIDTHS, Place, State, a_place, open_the_form
from tests.world import PATH

pytestmark = pytest.mark.browser

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Place]:
    with a_place(tmp_path_factory.mktemp("accessibility"), chromium, AXE) as place:
        yield place


every_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)


@every_state
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing(place: Place, state: State, theme: str) -> None:
    found: list[str] = []
    page = state.open(place, theme)
    for width in state.widths:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{state.name}, {theme}, {width} px: wider than the window")
        found += [
            f"{state.name}, {theme}, {width} px: {each}" for each in violations(page, state.within)
        ]
    assert not found, "\n".join(found)


def violations(page: Page, within: str) -> Iterator[str]:
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    result: dict[str, Any] = page.evaluate(
        "async ([within, options]) => {"
        " const { violations, incomplete } = await axe.run(within, options);"
        " return { violations, incomplete }; }",
        [within, options],
    )
    # What axe can't decide counts too, but for contrast: a select has a picture behind it, its
    # arrow.
    unsure = [rule for rule in result["incomplete"] if rule["id"] != "color-contrast"]
    for rule in result["violations"] + unsure:
        for node in rule["nodes"]:
            yield f"{rule['id']}: {rule['help']}: {node['html']}: {node['failureSummary']}"


TO_REACH = [
    "list of keys",
    "creation form",
    "key",
    "rotation form",
    "two secrets",
    "open menu",
    "audit log, filtered",
    "connection form, database",
    "workflow",
    "workflow form error",
]

# What is there to be reached. Of radio buttons Tab reaches the one that is chosen, or the first.
CONTROLS = """() => {
  const all = 'a, button, input, select, textarea, summary, [tabindex="0"]';
  window.controls = [...document.querySelectorAll(all)].filter((each) =>
    each.checkVisibility({ visibilityProperty: true }) && !each.matches(':disabled, [type=hidden]')
    && (each.type !== 'radio' || each.checked));
  return window.controls.map((each) => each.outerHTML.slice(0, 200));
}"""


@pytest.mark.parametrize("state", [s for s in STATES if s.name in TO_REACH], ids=lambda s: s.name)
@pytest.mark.parametrize("width", WIDTHS)
def test_tab_reaches_every_control_and_each_has_a_name(
    place: Place, state: State, width: int
) -> None:
    page = state.open(place, "light", width)
    controls: list[str] = page.evaluate(CONTROLS)
    names: dict[int, str] = {}
    # Within a date are four places: month, day, year and the calendar.
    dates = sum('type="date"' in each for each in controls)
    # Round once: from wherever the focus is to the end, and from the start to there.
    for _ in range(len(controls) + 2 + 3 * dates):
        page.keyboard.press("Tab")
        at = page.evaluate("window.controls.indexOf(document.activeElement)")
        names[at] = accessible_name(page)
    assert [each for at, each in enumerate(controls) if at not in names] == [], "never reached"
    assert [each for at, each in enumerate(controls) if not names[at]] == [], "without a name"


def accessible_name(page: Page) -> str:
    """Of what has the focus, as Chromium tells it to a screen reader."""
    session = page.context.new_cdp_session(page)
    focused = session.send("Runtime.evaluate", {"expression": "document.activeElement"})
    found = {"objectId": focused["result"]["objectId"], "fetchRelatives": False}
    node = session.send("Accessibility.getPartialAXTree", found)["nodes"][0]
    session.detach()
    return str(node.get("name", {}).get("value", ""))


def test_arrows_reach_every_radio_button(place: Place) -> None:
    page = place.page("bob", "light")
    page.goto(f"{place.url}{PATH}")
    open_the_form(page)
    # The type comes last: choosing it swaps the roles.
    for first, second in (("Member", "Admin"), ("Service account", "Personal token")):
        page.get_by_role("radio", name=first).check()
        page.get_by_role("radio", name=first).focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("radio", name=second)).to_be_focused()
