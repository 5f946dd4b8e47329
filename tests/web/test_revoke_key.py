"""P8: the confirmation in place, and a revocation that is at once and for good."""

import json

from compass.server.core import runs, users
from compass.server.db import transaction
from tests.conftest import both
from tests.work import Hand, Work
from tests.world import OPERATOR, PATH, World


@both
def test_revoking_in_place(world: World) -> None:
    secret, key_id = world.key()
    browser = world.browser("alice")
    question = browser.get(f"{PATH}/{key_id}/revoke", htmx=True).text
    assert "<html" not in question
    assert "Revoke CI Pipeline?" in question
    assert "Any client that uses it stops working at once. This cannot be undone." in question
    assert "It was never used." in question
    response = browser.post(f"{PATH}/{key_id}/revoke", htmx=True)
    assert response.status_code == 200
    assert response.text.strip().startswith(f'<tr id="{key_id}" class="revoked"')
    assert "by Alice" in response.text
    told = json.loads(response.headers["HX-Trigger"])["announce"]
    assert told == {"sentence": "Revoked CI Pipeline.", "shown": True}
    assert world.call("/v1/me", secret).json["code"] == "revoked_token"
    assert "Revoked" in browser.get(PATH).text


@both
def test_revoking_without_javascript(world: World) -> None:
    secret, key_id = world.key()
    world.call("/v1/me", secret)
    browser = world.browser("alice")
    page = browser.get(f"{PATH}/{key_id}/revoke").text
    assert "<html" in page
    assert "Last used" in page
    assert f'action="{PATH}/{key_id}/revoke"' in page
    response = browser.post(f"{PATH}/{key_id}/revoke")
    assert (response.status_code, response.headers["Location"]) == (303, PATH)
    assert world.call("/v1/me", secret).status_code == 401
    assert "Revoked CI Pipeline." in browser.get(PATH).text
    assert "Revoked CI Pipeline." not in browser.get(PATH).text


@both
def test_again_and_again_is_the_same_and_one_event(world: World) -> None:
    _, key_id = world.key()
    browser = world.browser("alice")
    browser.post(f"{PATH}/{key_id}/revoke")
    first = world.stored(key_id).revoked_at
    for htmx in (False, True):
        assert browser.post(f"{PATH}/{key_id}/revoke", htmx=htmx).status_code in {200, 303}
        assert browser.get(f"{PATH}/{key_id}/revoke", htmx=htmx).status_code == 200
    assert world.stored(key_id).revoked_at == first
    events = world.events("key.revoked")
    assert [(e.actor_id, e.target_id, e.project_id) for e in events] == [
        (world.alice, key_id, world.project)
    ]


@both
def test_cancel_gives_the_row_back(world: World) -> None:
    _, key_id = world.key()
    row = world.browser("alice").get(f"{PATH}/{key_id}", htmx=True).text
    assert row.strip().startswith(f'<tr id="{key_id}" class="active"')


@both
def test_who_may_revoke_what(world: World) -> None:
    """Section 4: a member one's own, an admin any; what one can't see is not there."""
    world.add_user("dora")
    world.set_role("dora", "member")
    _, service = world.key("Service")
    _, bobs = world.key("Bob's", by="bob", type="personal")
    for by, key_id, status in (
        ("charlie", service, 404), ("bob", service, 404), ("dora", bobs, 404),
        ("bob", bobs, 303), ("alice", service, 303),
    ):  # fmt: skip
        assert world.browser(by).post(f"{PATH}/{key_id}/revoke").status_code == status, (by, key_id)
        assert world.browser(by).get(f"{PATH}/{key_id}").status_code in {200, status}


@both
def test_an_admin_revokes_another_persons_token_but_does_not_rename_it(world: World) -> None:
    secret, bobs = world.key("Bob's", by="bob", type="personal")
    browser = world.browser("alice")
    assert "only they can rotate or rename it" in browser.get(f"{PATH}/{bobs}").text
    response = browser.post(f"{PATH}/{bobs}/rename", {"name": "Mine now"})
    assert response.status_code == 403
    assert "acts as Bob. Only they can do this." in response.text
    assert browser.post(f"{PATH}/{bobs}/revoke").status_code == 303
    assert world.call("/v1/me", secret).status_code == 401


@both
def test_a_key_of_a_project_one_left_is_not_found(world: World) -> None:
    _, bobs = world.key("Bob's", by="bob", type="personal")
    browser = world.browser("bob")
    assert browser.get(f"{PATH}/{bobs}").status_code == 200
    world.set_role("bob", None)
    assert browser.get(f"{PATH}/{bobs}").status_code == 404
    assert browser.post(f"{PATH}/{bobs}/revoke").status_code == 404


@both
def test_roles_count_on_the_very_next_request_of_a_session(world: World) -> None:
    _, service = world.key("Service")
    world.set_role("bob", "admin")
    browser = world.browser("bob")
    assert browser.get(f"{PATH}/{service}").status_code == 200
    world.set_role("bob", "member")
    assert browser.get(f"{PATH}/{service}").status_code == 404
    world.set_role("bob", "admin")
    assert browser.get(f"{PATH}/{service}").status_code == 200
    world.change("bob", users.disable)
    assert browser.get(f"{PATH}/{service}").status_code == 302


@both
def test_the_confirmation_says_how_many_runs_go_on_and_cancels_them_too(world: World) -> None:
    """P8: runs already accepted go on, unless they are to end with their key."""
    work = Work(world)
    work.write()
    over, waiting, running = (work.start().json["id"] for _ in range(3))
    with world.app.app_context(), transaction():
        runs.cancel(OPERATOR, world.project, over)
    Hand(world, running).take()
    others = work.admin("POST", "/runs", {"workflow": "echo"}).json["id"]
    browser = world.signed_in("alice")
    for htmx in (False, True):
        question = browser.get(f"{PATH}/{work.key_id}/revoke", htmx=htmx).text
        assert "2 runs that it started go on. Cancel them too." in question
        assert 'type="checkbox" name="cancel_runs"' in question
    answer = browser.post(f"{PATH}/{work.key_id}/revoke", {"cancel_runs": "yes"}, htmx=True)
    told = json.loads(answer.headers["HX-Trigger"])["announce"]["sentence"]
    assert told == "Revoked Member. Cancelled 2 runs that it started."
    found = {each: work.admin("GET", f"/runs/{each}").json for each in (waiting, running, others)}
    assert found[waiting]["status"] == "cancelled"
    events = work.admin("GET", f"/runs/{running}/events").json["items"]
    assert events[-1]["type"] == "cancel_requested"
    assert events[-1]["data"]["by"]["id"] == world.alice
    assert found[others]["status"] == "queued"


@both
def test_runs_go_on_where_nothing_is_ticked(world: World) -> None:
    work = Work(world)
    work.write()
    run_id = work.start().json["id"]
    browser = world.signed_in("alice")
    assert (
        "1 run that it started goes on. Cancel it too."
        in browser.get(f"{PATH}/{work.key_id}/revoke").text
    )
    assert browser.post(f"{PATH}/{work.key_id}/revoke").status_code == 303
    assert "Revoked Member.<" in browser.get(PATH).text
    assert work.admin("GET", f"/runs/{run_id}").json["status"] == "queued"


def test_of_a_key_without_runs_nothing_is_said_about_them(world: World) -> None:
    _, key_id = world.key()
    question = world.signed_in("alice").get(f"{PATH}/{key_id}/revoke").text
    assert "cancel_runs" not in question
    assert "started" not in question


def test_who_may_not_revoke_cancels_nothing(world: World) -> None:
    work = Work(world)
    work.write()
    run_id = work.start().json["id"]
    answer = world.signed_in("bob").post(f"{PATH}/{work.key_id}/revoke", {"cancel_runs": "yes"})
    assert answer.status_code == 404
    assert work.run(run_id)["status"] == "queued"


def test_the_revoked_row_says_which_key_did_it(world: World) -> None:
    secret, key_id = world.key()
    world.call("/v1/keys/self/revoke", secret, "POST")
    assert "by itself" in " ".join(world.browser("alice").get(f"{PATH}/{key_id}").text.split())
