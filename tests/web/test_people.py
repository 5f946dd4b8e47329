"""People: roles, disabling, and the links that are handed out."""

import re
from datetime import timedelta

import pytest

from compass.server.core import users
from compass.server.core.clock import now
from compass.server.core.models import Invitation, PasswordReset, Session, User
from tests.conftest import both
from tests.world import PASSWORD, PATH, World

PEOPLE = "/settings/organization/people"
HOSTILE = [
    ("<script>alert(1)</script>", None),
    ("a\u202eb", "can't be seen"),
    ("a\x07b", "can't be seen"),
    ("x" * 81, "at most 80"),
    ("   ", "Give yourself a name"),
]


def link_in(page: str, kind: str) -> str:
    found = re.search(rf'value="[^"]*(/{kind}/[^"]+)"', page)
    assert found, page
    return found.group(1)


def test_the_list_shows_everyone_and_is_searched(world: World) -> None:
    page = world.signed_in("alice").get(PEOPLE).text
    for name in ("alice", "bob", "charlie"):
        assert f"{name}@example.org" in page
    found = world.signed_in("alice").get(f"{PEOPLE}?q=BOB", htmx=True).text
    assert "bob@example.org" in found
    assert "charlie@example.org" not in found
    assert "<html" not in found
    assert "Nobody matches" in world.signed_in("alice").get(f"{PEOPLE}?q=%25").text


@pytest.mark.parametrize("page", ["0", "-1", "99999999999", "x", "2"])
def test_a_page_that_is_not_there_is_the_last_one(world: World, page: str) -> None:
    assert "bob@example.org" in world.signed_in("alice").get(f"{PEOPLE}?page={page}").text


@both
def test_an_invitation_from_link_to_account(world: World) -> None:
    alice = world.signed_in("alice")
    form = {"email": " Dora@Example.org ", "role": "member", "project": world.project}
    page = alice.post(PEOPLE, {**form, "project_role": "admin"})
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    path = link_in(page.text, "invitations")
    again = alice.get(PEOPLE).text
    assert "dora@example.org" in again
    assert path not in again

    dora = world.browser()
    assert "dora@example.org" in dora.get(path).text
    answer = dora.post(path, {"name": "Dora", "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Dora" in dora.get("/account").text
    assert dora.create(project=world.project).status_code == 200
    assert "dora@example.org</td>" not in alice.get(PEOPLE).text
    assert [len(world.events(f"{what}")) for what in ("user.invited", "invitation.accepted")] == [
        1, 1,
    ]  # fmt: skip
    assert world.events("member.added")[-1].details["role"] == "admin"
    # Once.
    assert world.browser().get(path).status_code == 410
    form = {"name": "Other", "password": PASSWORD}
    assert world.browser().post(path, form).status_code == 410
    assert world.count(User) == 4


def test_an_invited_administrator_is_one(world: World) -> None:
    token, _ = world.invite(role="admin")
    dora = world.browser()
    dora.post(f"/invitations/{token}", {"name": "Dora", "password": PASSWORD})
    assert dora.get(PEOPLE).status_code == 200


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"email": "nonsense"}, "Enter an email address"),
        ({"email": ""}, "Enter an email address"),
        ({"email": "BOB@example.org"}, "There is already an account for bob@example.org"),
        ({"email": "gone@example.org"}, "It is disabled: enable it instead"),
        ({"email": "dora@example.org"}, "is invited already"),
        ({"email": "a\u202e@example.org"}, "Enter an email address"),
        ({"email": "a@b@c"}, "Enter an email address"),
        ({"email": "<b>@x"}, "Enter an email address"),
        ({"email": f"compass_sa_{'0' * 40}4OSWh2@x"}, "That is a key"),
        ({"email": "ｂob@example.org"}, "There is already an account for bob@example.org"),
        ({"role": "owner"}, "Choose member or admin."),
        ({"project": "prj_nonsense"}, "Choose a project, or none."),
        ({"project_role": "<b>"}, "Choose member or admin."),
    ],
)
def test_a_bad_invitation_is_refused_and_nothing_changes(
    world: World, form: dict[str, str], words: str
) -> None:
    world.add_user("gone")
    world.change("gone", users.disable)
    world.invite("dora@example.org")
    before = world.count(Invitation)
    good = {"email": "new@example.org", "role": "member"}
    page = world.signed_in("alice").post(PEOPLE, {**good, **form})
    assert page.status_code == 422
    assert words.replace("'", "&#39;") in page.text
    assert world.count(Invitation) == before


def expire(world: World, invitation_id: str) -> None:
    when = now() - timedelta(seconds=1)
    world.set_columns(Invitation, Invitation.id == invitation_id, expires_at=when)


def revoke(world: World, invitation_id: str) -> None:
    path = f"{PEOPLE}/invitations/{invitation_id}/revoke"
    assert world.signed_in("alice").post(path).status_code == 303
    assert world.signed_in("alice").post(path).status_code == 303
    assert len(world.events("invitation.revoked")) == 1


def demote_the_inviter(world: World, _: str) -> None:
    world.add_user("erin", admin=True)
    world.change("alice", users.demote)


def disable_the_inviter(world: World, _: str) -> None:
    world.add_user("erin", admin=True)
    world.change("alice", users.disable)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (expire, "has expired"),
        (revoke, "was revoked"),
        (demote_the_inviter, "was revoked"),
        (disable_the_inviter, "was revoked"),
    ],
)
def test_an_invitation_that_is_over(world: World, spoil, words: str) -> None:  # type: ignore[no-untyped-def]
    token, invitation_id = world.invite()
    spoil(world, invitation_id)
    before = world.count(User)
    form = {"name": "Dora", "password": PASSWORD}
    for answer in (
        world.browser().get(f"/invitations/{token}"),
        world.browser().post(f"/invitations/{token}", form),
    ):
        assert answer.status_code == 410
        assert words in answer.text
    assert world.count(User) == before


@pytest.mark.parametrize(
    "token", ["x", "A" * 43, "A" * 42, "A" * 5000, "%00", "é" * 43, "' OR 1=1"]
)
def test_a_forged_link(world: World, token: str) -> None:
    for kind in ("invitations", "reset"):
        for answer in (
            world.browser().get(f"/{kind}/{token}"),
            world.browser().post(f"/{kind}/{token}", {"name": "Eve", "password": PASSWORD}),
        ):
            assert answer.status_code == 404
            assert "is not known here" in answer.text
    assert world.count(User) == 3


def test_links_opened_by_somebody_signed_in_change_nothing(world: World) -> None:
    token, _ = world.invite()
    before = world.dump()
    bob = world.signed_in("bob")
    for path in (f"/invitations/{token}", f"/reset/{world.reset_link('charlie')}"):
        for answer in (bob.get(path), bob.post(path, {"name": "Eve", "password": PASSWORD})):
            assert answer.status_code == 409
            assert "This browser is signed in as Bob" in answer.text
    assert world.dump()["users"] == before["users"]
    # The way out leads back to the link.
    out = bob.post("/logout", {"next": f"/invitations/{token}"})
    assert out.location == f"/invitations/{token}"
    assert bob.get(out.location).status_code == 200


def test_signing_out_leads_nowhere_else(world: World) -> None:
    out = world.signed_in("bob").post("/logout", {"next": "https://example.org/"})
    assert out.location == "/login"


@pytest.mark.parametrize(("name", "words"), HOSTILE)
def test_hostile_names_are_refused_or_shown_as_text(
    world: World, name: str, words: str | None
) -> None:
    token, _ = world.invite()
    answer = world.browser().post(f"/invitations/{token}", {"name": name, "password": PASSWORD})
    if words:
        assert answer.status_code == 422
        assert words.replace("'", "&#39;") in answer.text
        assert world.count(User) == 3
        return
    page = world.signed_in("alice").get(PEOPLE).text
    assert name not in page
    assert "&lt;script&gt;" in page


def test_an_address_that_got_an_account_meanwhile(world: World) -> None:
    token, _ = world.invite("dora@example.org")
    world.add_user("dora")
    form = {"name": "Dora", "password": PASSWORD}
    answer = world.browser().post(f"/invitations/{token}", form)
    assert answer.status_code == 409
    assert "Sign in instead" in answer.text
    assert world.count(User) == 4


def test_the_project_of_an_invitation_is_gone(world: World) -> None:
    project = world.add_project("Reports")
    token, _ = world.invite(project_id=project)
    alice = world.signed_in("alice")
    path = f"/projects/{project}/settings/general/delete"
    assert alice.post(path, {"confirm": "Reports"}).status_code == 303
    dora = world.browser()
    form = {"name": "Dora", "password": PASSWORD}
    assert dora.post(f"/invitations/{token}", form).status_code == 303
    assert "You are not in a project yet" in dora.get("/projects").text


@both
def test_a_reset_link_from_hand_to_password(world: World) -> None:
    there = world.signed_in("bob")
    page = world.signed_in("alice").post(f"{PEOPLE}/{world.bob}/reset-link")
    path = link_in(page.text, "reset")
    bob = world.browser()
    assert bob.post(path, {"password": "short"}).status_code == 422
    assert bob.post(path, {"password": "a new horse battery"}).status_code == 303
    assert bob.get("/account").status_code == 200
    assert there.get("/account").status_code == 302
    assert world.browser().sign_in("bob").status_code == 422
    assert world.browser().sign_in("bob", "a new horse battery").status_code == 303
    assert world.browser().get(path).status_code == 404
    assert len(world.events("user.reset_link_created")) == 1
    assert len(world.events("user.password_changed")) == 1


def test_a_new_reset_link_ends_the_one_before(world: World) -> None:
    first, second = world.reset_link("bob"), world.reset_link("bob")
    assert world.browser().get(f"/reset/{first}").status_code == 404
    assert world.browser().get(f"/reset/{second}").status_code == 200


def test_a_reset_link_expires(world: World) -> None:
    token = world.reset_link("bob")
    when = now() - timedelta(seconds=1)
    world.set_columns(PasswordReset, PasswordReset.user_id == world.bob, expires_at=when)
    assert world.browser().get(f"/reset/{token}").status_code == 410
    assert world.browser().post(f"/reset/{token}", {"password": PASSWORD}).status_code == 410


@pytest.mark.parametrize("change", ["disable", "own password", "demoted maker"])
def test_what_ends_a_reset_link(world: World, change: str) -> None:
    if change == "demoted maker":
        world.add_user("erin", admin=True)
        page = world.signed_in("erin").post(f"{PEOPLE}/{world.bob}/reset-link")
        path = link_in(page.text, "reset")
        world.change("erin", users.demote)
    else:
        path = f"/reset/{world.reset_link('bob')}"
    if change == "disable":
        world.change("bob", users.disable)
    if change == "own password":
        form = {"current_password": PASSWORD, "password": "another horse"}
        assert world.signed_in("bob").post("/account/password", form).status_code == 303
    assert world.browser().get(path).status_code in {404, 410}
    assert world.browser().post(path, {"password": "stolen horse"}).status_code in {404, 410}


def test_no_reset_link_for_the_disabled(world: World) -> None:
    world.change("bob", users.disable)
    answer = world.signed_in("alice").post(f"{PEOPLE}/{world.bob}/reset-link")
    assert answer.status_code == 409
    assert "Enable the account first" in answer.text


def test_a_role_is_changed_and_counts_at_once(world: World) -> None:
    alice, bob = world.signed_in("alice"), world.signed_in("bob")
    assert bob.get(PEOPLE).status_code == 403
    assert alice.post(f"{PEOPLE}/{world.bob}/role", {"role": "admin"}).status_code == 303
    assert bob.get(PEOPLE).status_code == 200
    assert alice.post(f"{PEOPLE}/{world.bob}/role", {"role": "member"}).status_code == 303
    assert bob.get(PEOPLE).status_code == 403
    assert alice.post(f"{PEOPLE}/{world.bob}/role", {"role": "king"}).status_code == 422
    assert alice.post(f"{PEOPLE}/{world.bob}/role").status_code == 422
    world.change("bob", users.promote)
    assert alice.post(f"{PEOPLE}/{world.bob}/role", {"role": ""}).status_code == 422
    assert bob.get(PEOPLE).status_code == 200


def test_the_last_administrator_stays(world: World) -> None:
    alice = world.signed_in("alice")
    answer = alice.post(f"{PEOPLE}/{world.alice}/role", {"role": "member"})
    assert answer.status_code == 409
    assert "the last active administrator" in answer.text
    assert alice.post(f"{PEOPLE}/{world.alice}/disable").status_code == 409
    assert alice.get(PEOPLE).status_code == 200
    assert [e.details["status"] for e in world.events("access.refused")] == [409, 409]


def test_who_demotes_themselves_is_led_where_they_may_be(world: World) -> None:
    world.add_user("erin", admin=True)
    alice = world.signed_in("alice")
    answer = alice.post(f"{PEOPLE}/{world.alice}/role", {"role": "member"})
    assert (answer.status_code, answer.location) == (303, "/account")
    assert alice.get("/account").status_code == 200


def test_disabling_ends_sessions_and_tokens_at_once_and_enabling_brings_tokens_back(
    world: World,
) -> None:
    secret, _ = world.key(by="bob", type="personal")
    bob, alice = world.signed_in("bob"), world.signed_in("alice")
    assert world.call("/v1/me", secret).status_code == 200
    assert alice.post(f"{PEOPLE}/{world.bob}/disable").status_code == 303
    assert bob.get("/account").status_code == 302
    assert world.call("/v1/me", secret).json["code"] == "owner_inactive"
    assert "Disabled" in alice.get(f"{PEOPLE}/{world.bob}").text
    assert alice.post(f"{PEOPLE}/{world.bob}/enable").status_code == 303
    assert world.call("/v1/me", secret).status_code == 200
    assert bob.get("/account").status_code == 302


def test_sessions_are_listed_and_ended(world: World) -> None:
    here, there, elsewhere = (world.signed_in("bob") for _ in range(3))
    alice = world.signed_in("alice")
    page = here.get("/account").text
    assert page.count("Firefox on Linux</strong>") == 3
    assert page.count("This one") == 1
    handles = re.findall(r"/account/sessions/([0-9a-f]{16})/end", page)
    assert len(handles) == 2
    # Somebody else's can't be ended.
    assert alice.post(f"/account/sessions/{handles[0]}/end").status_code == 404
    assert here.post(f"/account/sessions/{handles[0]}/end").status_code == 303
    alive = [each.get("/account").status_code for each in (here, there, elsewhere)]
    assert sorted(alive) == [200, 200, 302]
    assert alive[0] == 200
    assert here.post("/account/sessions/end-others").status_code == 303
    assert [each.get("/account").status_code for each in (here, there, elsewhere)] == [
        200,
        302,
        302,
    ]
    assert len(world.events("session.ended")) == 1
    assert world.events("sessions.ended")[0].details["count"] == 1
    assert world.count(Session) == 4


def test_signing_out_is_recorded_once(world: World) -> None:
    bob = world.signed_in("bob")
    bob.post("/logout")
    bob.post("/logout")
    assert len(world.events("session.ended")) == 1


def test_a_flood_of_refusals_is_not_kept(world: World) -> None:
    bob = world.signed_in("bob")
    for _ in range(30):
        assert bob.post(f"{PEOPLE}/{world.alice}/disable").status_code == 403
    assert len(world.events("access.refused")) == 20
    world.signed_in("charlie").post(f"{PEOPLE}/{world.alice}/disable")
    assert len(world.events("access.refused")) == 21


def test_refusals_of_people_are_recorded_and_of_strangers_are_not(world: World) -> None:
    _, key_id = world.key()
    bob = world.signed_in("bob")
    bob.post(f"{PEOPLE}/{world.alice}/disable")
    bob.post(f"{PATH}/{key_id}/revoke")
    bob.create(project=world.project)
    bob.get(PEOPLE)
    world.browser().post(f"{PEOPLE}/{world.alice}/disable")
    recorded = [(e.actor_name, e.details["route"], e.details["status"], e.target_name, e.project_id)
                for e in world.events("access.refused")]  # fmt: skip
    assert recorded == [
        ("Bob", "disable_person", 403, "Alice", None),
        ("Bob", "revoke_key", 404, "CI Pipeline", world.project),
        ("Bob", "create_key", 422, None, None),
    ]
