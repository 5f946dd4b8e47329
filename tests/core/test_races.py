"""Two at once: one wins, on both databases, with real connections racing."""

import threading
from collections.abc import Callable

import psycopg
import pytest

from compass.server.core import (
    invitations,
    keys,
    login,
    passwords,
    projects,
    resets,
    rotation,
    setup,
    users,
)
from compass.server.core.access import Operator, Person
from compass.server.core.errors import Refusal
from compass.server.core.keys import Draft
from compass.server.core.models import Key, Role, Session, User
from compass.server.db import db, transaction
from tests.conftest import both
from tests.world import PASSWORD, World, password_hash


def race(world: World, *attempts: Callable[[], object]) -> list[str]:
    """Runs them at once, each in a transaction; who won, and why the others did not."""
    start = threading.Barrier(len(attempts))
    outcomes: list[str] = []

    def run(attempt: Callable[[], object]) -> None:
        with world.app.app_context():
            start.wait()
            try:
                with transaction():
                    attempt()
                outcomes.append("won")
            except Refusal as refusal:
                outcomes.append(str(refusal))

    threads = [threading.Thread(target=run, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes, key=lambda outcome: outcome != "won")


def alice() -> Person:
    return Person(user=users.by_email("alice@example.org"), address=None)


@both
def test_two_keys_of_one_name(world: World) -> None:
    for type_ in ("service_account", "personal"):

        def create(type_: str = type_) -> object:
            return keys.create(alice(), Draft("Same", type_, world.project))

        before = world.count(Key)
        outcomes = race(world, *[create] * 4)
        assert outcomes[0] == "won"
        assert all("already a live key named Same in Default" in why for why in outcomes[1:])
        assert world.count(Key) == before + 1
    assert len(world.events("key.created")) == 2


@both
def test_two_revocations_are_one_event(world: World) -> None:
    _, key_id = world.key()
    outcomes = race(world, *[lambda: keys.revoke(alice(), key_id)] * 4)
    assert outcomes == ["won"] * 4
    assert len(world.events("key.revoked")) == 1


@both
def test_a_renaming_and_a_revocation(world: World) -> None:
    """Whatever comes first: a revoked key keeps its name, and each change is one event."""
    _, key_id = world.key()
    outcomes = race(
        world,
        lambda: keys.revoke(alice(), key_id),
        lambda: keys.rename(alice(), key_id, "New"),
    )
    renamed = world.stored(key_id).name == "New"
    assert outcomes == ["won", "won" if renamed else "A revoked key keeps its name."]
    assert len(world.events("key.renamed")) == int(renamed)


@both
def test_two_rotations_leave_one_new_secret(world: World) -> None:
    _, key_id = world.key()
    seen = world.stored(key_id).secret.id
    outcomes = race(world, *[lambda: rotation.rotate(alice(), key_id, "0", None, seen)] * 4)
    assert outcomes == ["won"] + [rotation.OUT_OF_DATE] * 3
    assert len(world.stored(key_id).secrets) == 2
    assert len(world.events("key.rotated")) == 1


@both
def test_two_ends_of_one_overlap_are_one_event(world: World) -> None:
    _, key_id = world.key()
    for _ in range(5):
        with world.app.app_context(), transaction():
            rotation.rotate(alice(), key_id, "24")
        assert race(world, *[lambda: rotation.end_overlap(alice(), key_id)] * 4) == ["won"] * 4
    assert len(world.events("key.overlap_ended")) == 5


@both
def test_a_rotation_and_a_revocation(world: World) -> None:
    _, key_id = world.key()
    outcomes = race(
        world,
        lambda: keys.revoke(alice(), key_id),
        lambda: rotation.rotate(alice(), key_id, "24"),
    )
    rotated = len(world.stored(key_id).secrets) == 2
    assert outcomes[0] == "won"
    assert rotated is (outcomes[1] == "won")
    assert world.stored(key_id).status == "revoked"


@both
def test_two_administrators_demote_each_other(world: World) -> None:
    world.add_user("dora", admin=True)

    def demote(name: str) -> Callable[[], object]:
        return lambda: users.demote(Operator(), users.by_email(f"{name}@example.org"))

    def disable(name: str) -> Callable[[], object]:
        return lambda: users.disable(Operator(), users.by_email(f"{name}@example.org"))

    outcomes = race(world, demote("alice"), disable("dora"))
    assert outcomes[0] == "won"
    assert "is the last active administrator" in outcomes[1]


@both
def test_two_setups(world: World) -> None:
    with world.app.app_context(), transaction() as session:
        for table in ("memberships", "users"):
            session.execute(User.metadata.tables[table].delete())
    hashed = password_hash()

    def complete(name: str) -> Callable[[], object]:
        return lambda: setup.complete(f"{name}@example.org", name, hashed, None)

    outcomes = race(world, *[complete(name) for name in ("eve", "frank", "grace")])
    assert outcomes == ["won"] + ["Compass is already set up."] * 2
    assert world.count(User) == 1


@both
def test_a_login_that_is_under_way_while_the_password_changes(world: World) -> None:
    """Whoever knew the old password must not end with a session that outlives it."""
    with world.app.app_context():
        proof = login.check("bob@example.org", PASSWORD)
        assert proof is not None
        with transaction():
            new = users.by_email("bob@example.org")
            users.set_password(Operator(), new, passwords.hash_password("another one entirely"))
        with transaction():
            assert login.accept(proof) is None


@both
def test_a_login_and_a_new_password_at_once(world: World) -> None:
    with world.app.app_context():
        proof = login.check("bob@example.org", PASSWORD)
        assert proof is not None
    new_hash = passwords.hash_password("another one entirely")

    def sign_in() -> None:
        user = login.accept(proof)
        if user is not None:
            login.succeed(user, None, "192.0.2.1", None)

    def change() -> None:
        users.set_password(Operator(), users.by_email("bob@example.org"), new_hash)

    race(world, sign_in, sign_in, change)
    with world.app.app_context():
        live = db.select(Session).where(Session.ended_at.is_(None))
        assert db.session.scalars(live).all() == []


@both
def test_two_accept_one_invitation(world: World) -> None:
    token, _ = world.invite("dora@example.org")

    def accept(name: str) -> Callable[[], object]:
        return lambda: invitations.accept(token, name, password_hash(), None)

    outcomes = race(world, *(accept(name) for name in ("One", "Two", "Three")))
    assert outcomes[0] == "won"
    assert all("used already" in each or "account for" in each for each in outcomes[1:])
    assert world.count(User) == 4


@both
def test_two_use_one_reset_link(world: World) -> None:
    token = world.reset_link("bob")
    use = [lambda: resets.use(token, password_hash(), None)] * 3
    outcomes = race(world, *use)
    assert [each == "won" for each in outcomes] == [True, False, False]


@both
def test_two_add_the_same_member(world: World) -> None:
    def add() -> None:
        project = projects.by_name("Default")
        projects.add_member(alice(), project, "charlie@example.org", Role.MEMBER)

    outcomes = race(world, add, add, add)
    assert outcomes[0] == "won"
    assert all("is in Default already" in each for each in outcomes[1:]), outcomes


@both
def test_an_invitation_is_made_while_its_maker_is_demoted(world: World) -> None:
    """Either it is refused, or it is taken back: no link of theirs stays good."""
    world.add_user("erin", admin=True)
    made: list[str] = []

    def invite() -> None:
        actor = Person(user=users.by_email("alice@example.org"), address=None)
        made.append(invitations.create(actor, "dora@example.org", "admin")[0])

    race(world, invite, lambda: users.demote(Operator(), users.by_email("alice@example.org")))
    for token in made:
        assert world.browser().get(f"/invitations/{token}").status_code in {404, 410}


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("route", ["general", "members", "role", "remove", "delete"])
def test_a_project_that_is_deleted_beside_a_change_is_a_conflict(world: World, route: str) -> None:
    """The change waits for the deletion, and finds nothing left: no crash, and clear words."""
    settings = f"/projects/{world.project}/settings"
    path, form = {
        "general": (f"{settings}/general", {"name": "Renamed"}),
        "members": (f"{settings}/members", {"email": "charlie@example.org"}),
        "role": (f"{settings}/members/{world.bob}/role", {"role": "admin"}),
        "remove": (f"{settings}/members/{world.bob}/remove", {}),
        "delete": (f"{settings}/general/delete", {"confirm": "Default"}),
    }[route]
    browser, answers = world.signed_in("alice"), []
    form = {**form, "csrf_token": browser.token()}
    with world.app.app_context():
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as other, psycopg.connect(url, autocommit=True) as watch:
        other.execute("DELETE FROM projects WHERE id = %s", (world.project,))
        asking = threading.Thread(
            target=lambda: answers.append(browser.client.post(path, data=form))
        )
        asking.start()
        # Until it waits for our lock.
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while asking.is_alive() and not watch.execute(blocked).fetchone()[0]:  # type: ignore[index]
            pass
        other.commit()
    asking.join()
    assert answers[0].status_code in {404, 409}, answers[0].text
    assert "data-error" in answers[0].text
