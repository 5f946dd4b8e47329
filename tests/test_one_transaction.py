"""A change and its event are one transaction: where the event can't be written, nothing changes."""

import pytest
from sqlalchemy import text

from compass.server.db import db
from tests.test_routes import ACTORS, BROWSER, KEYS, Place, Row, filled, place  # noqa: F401
from tests.world import World

# What is written on purpose without an event: a theme changes nothing that anybody may do, and a
# run is its own record, with events that say who started and who cancelled it.
WITHOUT_EVENT = {
    "POST /theme",
    "POST /v1/runs",
    "POST /v1/runs/<run_id>/cancel",
    "POST /projects/<project_id>/runs",
    "POST /projects/<project_id>/runs/<run_id>/again",
    "POST /projects/<project_id>/runs/<run_id>/cancel",
}


def fail_events(world: World) -> None:
    with world.app.app_context():
        db.session.execute(
            text(
                "CREATE TRIGGER no_events BEFORE INSERT ON audit_events "
                "BEGIN SELECT RAISE(ABORT, 'the event table fails'); END"
            )
        )
        db.session.commit()


def changing(rows: dict[str, Row]) -> list[str]:
    return [
        route
        for route, row in rows.items()
        if not route.startswith("GET")
        and {200, 201, 202, 204, 303} & set(row.statuses)
        and route not in WITHOUT_EVENT
    ]


@pytest.mark.parametrize("route", changing(BROWSER))
def test_no_change_without_its_event_in_the_browser(place: Place, route: str) -> None:  # noqa: F811
    row, world = BROWSER[route], place.world
    actor = next(who for who in reversed(ACTORS) if row.statuses[ACTORS.index(who)] in {200, 303})
    path, form = filled(row, place.names)
    browser = world.signed_in(actor) if actor else world.browser()
    if route == "POST /account/sessions/end-others":
        world.signed_in(actor or "")
    if route == "POST /logout":
        browser = world.signed_in("bob")
    if route.endswith("/enable"):
        world.signed_in("alice").post(path.replace("enable", "disable"))
    before = world.dump()
    fail_events(world)
    assert browser.post(path, form).status_code >= 400
    assert world.dump() == before


@pytest.mark.parametrize("route", changing(KEYS))
def test_no_change_without_its_event_by_key(place: Place, route: str) -> None:  # noqa: F811
    world = place.world
    before = world.dump()
    fail_events(world)
    path, form = KEYS[route].path.format(**place.names), KEYS[route].form
    more = {"json": form} if form else {}
    answer = world.call(path, place.secrets["alice"], route.partition(" ")[0], **more)
    assert answer.status_code == 500
    after = world.dump()
    for table in ("keys", "connections", "workflows"):
        assert after[table] == before[table]
    assert [row[:4] for row in after["key_secrets"]] == [row[:4] for row in before["key_secrets"]]
    assert after["audit_events"] == before["audit_events"]
