"""What is told before somebody goes: what stops with them, and what they take along."""

import pytest

from compass.server.core import users
from compass.server.core.models import Key
from tests.conftest import both
from tests.world import PATH, World, secret_in

PEOPLE = "/settings/organization/people"


def questions(world: World) -> list[str]:
    """The two confirmations: of disabling Bob, and of removing him from Default."""
    return [
        f"{PEOPLE}/{world.bob}/disable",
        f"/projects/{world.project}/settings/members/{world.bob}/remove",
    ]


@both
def test_tokens_that_stop_are_listed_with_their_last_use(world: World) -> None:
    used, _ = world.key("Laptop", by="bob", type="personal")
    world.key("Unused", by="bob", type="personal")
    _, revoked = world.key("Revoked", by="bob", type="personal")
    world.signed_in("bob").post(f"{PATH}/{revoked}/revoke")
    world.key("Alice's", type="personal")
    world.call("/v1/me", used)
    for path in questions(world):
        page = world.signed_in("alice").get(path).text
        assert "2 personal tokens will stop" in page
        assert "from 127.0.0.1" in page
        assert "Never used" in page
        assert "Revoked</a>" not in page
        assert "Alice&#39;s" not in page
        # What is in use is offered to be replaced.
        assert page.count("Make a service account</button>") == 1


def test_of_another_project_nothing_is_told_where_only_one_is_left(world: World) -> None:
    world.add_project("Other")
    world.set_role("bob", "admin", "Other")
    world.key("Elsewhere", by="bob", type="personal", project="Other")
    everything, default = questions(world)
    assert "Elsewhere" in world.signed_in("alice").get(everything).text
    assert "Elsewhere" not in world.signed_in("alice").get(default).text


@both
def test_one_click_makes_a_service_account_in_its_place(world: World) -> None:
    token, token_id = world.key("Nightly", by="bob", type="personal", days="90")
    world.call("/v1/me", token)
    alice = world.signed_in("alice")
    path = f"{PATH}/{token_id}/service-account"
    page = alice.post(path, {"next": questions(world)[0]})
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert f'href="{questions(world)[0]}">Done' in page.text
    secret = secret_in(page.text)
    me = world.call("/v1/me", secret).json
    assert (me["key"]["name"], me["key"]["type"], me["role"]) == (
        "Nightly", "service_account", "member",
    )  # fmt: skip
    assert me["key"]["expires_at"] is not None
    alice.post(f"{PEOPLE}/{world.bob}/disable")
    assert world.call("/v1/me", token).status_code == 401
    assert world.call("/v1/me", secret).status_code == 200
    assert secret not in alice.get(questions(world)[0]).text
    # Of one name there is one.
    again = alice.post(path)
    assert again.status_code == 409


def test_a_taken_name_is_said_and_nothing_made(world: World) -> None:
    _, token_id = world.key("Nightly", by="bob", type="personal")
    world.key("Nightly")
    before = world.count(Key)
    for htmx in (False, True):
        answer = world.signed_in("alice").post(f"{PATH}/{token_id}/service-account", htmx=htmx)
        assert answer.status_code == 409
        assert "There is already a live key named Nightly" in answer.text
    assert world.count(Key) == before


def test_it_can_do_no_more_than_the_token_can_now(world: World) -> None:
    world.set_role("bob", "admin")
    _, token_id = world.key("Nightly", by="bob", type="personal", role="admin")
    world.set_role("bob", "member")
    page = world.signed_in("alice").post(f"{PATH}/{token_id}/service-account")
    assert world.call("/v1/me", secret_in(page.text)).json["role"] == "member"


@pytest.mark.parametrize("next_", ["https://evil.example", "//evil.example", "javascript:alert(1)"])
def test_the_way_back_is_ours(world: World, next_: str) -> None:
    _, token_id = world.key("Nightly", by="bob", type="personal")
    page = world.signed_in("alice").post(f"{PATH}/{token_id}/service-account", {"next": next_})
    assert "evil" not in page.text
    assert "javascript" not in page.text.replace("app.js", "")


def test_members_can_not_replace_even_their_own(world: World) -> None:
    _, token_id = world.key("Nightly", by="bob", type="personal")
    answer = world.signed_in("bob").post(f"{PATH}/{token_id}/service-account")
    assert answer.status_code == 403
    page = world.signed_in("bob").get(questions(world)[1]).text
    assert "Make a service account" not in page


def seen(page: str) -> str:
    return page.partition("seen the secret of")[2]


@both
def test_service_accounts_whose_secret_they_have_seen(world: World) -> None:
    world.set_role("bob", "admin")
    world.key("Made by Bob", by="bob")
    _, rotated = world.key("Rotated by Bob")
    world.signed_in("bob").post(f"{PATH}/{rotated}/rotate", {"overlap_hours": "0"})
    _, safe = world.key("Rotated since", by="bob")
    alice = world.signed_in("alice")
    alice.post(f"{PATH}/{safe}/rotate", {"overlap_hours": "0"})
    _, overlapping = world.key("Overlapping", by="bob")
    alice.post(f"{PATH}/{overlapping}/rotate", {"overlap_hours": "24"})
    _, revoked = world.key("Revoked", by="bob")
    alice.post(f"{PATH}/{revoked}/revoke")
    world.key("Alice's")
    own, _ = world.key("Self-rotated", by="bob")
    world.call("/v1/keys/self/rotate", own, "POST", json={"overlap_hours": 1})
    for path in questions(world):
        page = seen(alice.get(path).text)
        for name in ("Made by Bob", "Rotated by Bob", "Overlapping", "Self-rotated"):
            assert name in page, name
        for name in ("Rotated since", "Revoked</a>", "Alice&#39;s"):
            assert name not in page, name
        assert page.count("Rotate</button>") == 2
        assert page.count("End old secret</button>") == 2


def test_rotating_from_the_report_leads_back_to_it(world: World) -> None:
    world.set_role("bob", "admin")
    _, key_id = world.key("Made by Bob", by="bob")
    alice, back = world.signed_in("alice"), questions(world)[0]
    form = alice.get(f"{PATH}/{key_id}/rotate?next={back}").text
    assert f'name="next" value="{back}"' in form
    page = alice.post(f"{PATH}/{key_id}/rotate", {"overlap_hours": "0", "next": back})
    assert f'href="{back}">Done' in page.text
    assert "Made by Bob" not in alice.get(back).text


@both
def test_a_leaver_can_not_hide_by_rotating_with_the_key_itself(world: World) -> None:
    world.set_role("bob", "admin")
    secret, key_id = world.key("Evade", by="bob")
    new = world.call("/v1/keys/self/rotate", secret, "POST").json["secret"]
    alice = world.signed_in("alice")
    alice.post(f"{PATH}/{key_id}/end-overlap")
    for path in questions(world):
        page = alice.get(path).text
        assert "Evade" in seen(page)
        assert page.count("Rotate</button>") == 1
    assert world.call("/v1/me", new).status_code == 200
    alice.post(f"{PATH}/{key_id}/rotate", {"overlap_hours": "0"})
    assert "Evade" not in seen(alice.get(questions(world)[0]).text)


def test_the_copy_that_is_left_is_ended_from_the_report(world: World) -> None:
    world.set_role("bob", "admin")
    _, key_id = world.key("Deploy", by="bob")
    alice, back = world.signed_in("alice"), questions(world)[0]
    assert 'value="1" checked' in alice.get(f"{PATH}/{key_id}/rotate?next={back}").text
    alice.post(f"{PATH}/{key_id}/rotate", {"overlap_hours": "24", "next": back})
    assert "The copy works until" in alice.get(back).text
    ended = alice.post(f"{PATH}/{key_id}/end-overlap", {"next": back})
    assert (ended.status_code, ended.location) == (303, back)
    assert "Deploy" not in seen(alice.get(back).text)


def test_what_is_refused_already_does_not_stop(world: World) -> None:
    world.set_role("bob", "admin")
    secret, token = world.key("Laptop", by="bob", type="personal")
    world.call("/v1/me", secret)
    alice = world.signed_in("alice")
    world.change("bob", users.disable)
    page = alice.get(questions(world)[1]).text
    assert "No personal token will stop" in page
    assert "Refused already" in page
    assert "Laptop" in alice.get(f"{PEOPLE}/{world.bob}").text
    assert "Make a service account" not in page
    assert alice.post(f"{PATH}/{token}/service-account").status_code == 409
    world.change("bob", users.enable)
    world.set_role("bob", None)
    assert "No personal token will stop" in alice.get(questions(world)[0]).text


def test_a_taken_name_is_no_dead_end(world: World) -> None:
    secret, token = world.key("Nightly", by="bob", type="personal")
    world.call("/v1/me", secret)
    alice = world.signed_in("alice")
    alice.post(f"{PATH}/{token}/service-account")
    page = alice.get(questions(world)[0]).text
    assert "service account of this name" in page
    assert "Make a service account" not in page


def test_before_an_administrator_is_demoted_it_is_said_what_stops(world: World) -> None:
    world.add_user("erin", admin=True)
    world.add_project("Other")
    world.set_role("erin", "member", "Other")
    world.key("Stops", by="erin", type="personal")
    world.key("Goes on", by="erin", type="personal", project="Other")
    alice = world.signed_in("alice")
    with world.app.app_context():
        erin = users.by_email("erin@example.org").id
    page = alice.get(f"{PEOPLE}/{erin}/role").text
    assert "1 personal token will stop" in page
    assert "Stops" in page
    assert "Goes on" not in page
    assert alice.get(f"{PEOPLE}/{world.bob}/role").status_code == 302


def test_what_somebody_saw_who_is_gone_is_still_told(world: World) -> None:
    world.set_role("bob", "admin")
    world.key("Deploy", by="bob")
    members = f"/projects/{world.project}/settings/members"
    alice = world.signed_in("alice")
    assert "not here any more" not in alice.get(members).text
    world.signed_in("bob").post(f"{members}/{world.bob}/remove")
    page = alice.get(members).text
    assert "Seen by people who are not here any more" in page
    assert "Seen by Bob." in page
    world.change("bob", users.disable)
    assert "Deploy" in seen(alice.get(f"{PEOPLE}/{world.bob}").text)
    # For whoever can do something about it.
    world.set_role("charlie", "member")
    assert "Deploy" not in world.signed_in("charlie").get(members).text
