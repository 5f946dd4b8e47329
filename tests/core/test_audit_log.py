"""The record, read: pages that cover it once, and nobody who sees what is not theirs."""

import ast
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import text

from compass.server.core import audit_export, audit_log, audit_search, audit_words, projects, users
from compass.server.core.access import Person
from compass.server.core.audit_filter import Filter, meant
from compass.server.core.errors import Forbidden
from compass.server.core.ids import is_id, lowest, new_id
from compass.server.core.models import AuditEvent
from compass.server.db import db, transaction
from tests.conftest import both
from tests.world import World

ROOT = Path(__file__).parent.parent.parent
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = START + timedelta(days=5)
PLACES = ["Default", "Other", "Third"]
COUNT = 400


@pytest.fixture
def full(world: World) -> World:
    """Events of all kinds, an hour apart, in three projects and in none.

    Alice is an organization admin, Bob an admin of Default, Dora of Default and Other; of others
    they are members.
    """
    world.add_user("dora")
    for name in PLACES[1:]:
        world.add_project(name)
    for name, role, project in (
        ("bob", "admin", "Default"), ("bob", "member", "Other"), ("dora", "admin", "Default"),
        ("dora", "admin", "Other"), ("dora", "member", "Third"),
    ):  # fmt: skip
        world.set_role(name, role, project)
    keys = [world.key(f"Of {name}", project=name)[1] for name in PLACES]
    with world.app.app_context(), transaction() as session:
        session.execute(db.delete(AuditEvent))
        session.add_all(some_events(world, keys))
    return world


def some_events(world: World, keys: list[str]) -> Iterator[AuditEvent]:
    """What the tests know of each is in its details."""
    choose = random.Random(7).choice
    places = {name: projects.by_name(name).id for name in PLACES} | {"": None}
    actors = {"alice": world.alice, "bob": world.bob, "Of Default": keys[0], "compass-server": None}
    about = dict(zip((f"Of {name}" for name in PLACES), keys, strict=True)) | {"": None}
    for number in range(COUNT):
        at = START + timedelta(hours=number)
        who, place, what = choose(list(actors)), choose(list(places)), choose(list(about))
        action = choose(["key.created", "key.renamed", "login.succeeded"])
        yield AuditEvent(
            id=lowest("evt", at)[:-12] + new_id("evt")[-12:],
            at=at,
            action=action,
            actor_type="user" if actors[who] else "operator",
            actor_id=actors[who] or "operator",
            actor_name=who,
            target_id=about[what],
            project_id=places[place],
            details={"who": who, "place": place, "what": what, "action": action, "number": number},
        )


def person(name: str) -> Person:
    return Person(user=users.by_email(f"{name}@example.org"), address=None)


def every_filter() -> Iterator[tuple[str, str, str, str, int, int]]:
    """(who, action, place, key, from this number on, before this number)."""
    who = ("", "bob", "compass-server", "Of Default", "stranger")
    spans = ((0, COUNT), (120, COUNT), (0, 120))
    for each in product(who, ("", "key.renamed"), ("", "Other"), ("", "Of Default"), spans):
        yield (*each[:4], *each[4])


def fits(fact: dict[str, str | int], wanted: tuple[str, str, str, str, int, int]) -> bool:
    """The model: what each filter says of a single event."""
    who, action, place, key, first, end = wanted
    return (
        who in ("", fact["who"])
        and action in ("", fact["action"])
        and place in ("", fact["place"])
        and key in ("", fact["what"], fact["who"])
        and first <= int(fact["number"]) < end
    )


def as_filter(wanted: tuple[str, str, str, str, int, int]) -> Filter:
    who, action, place, key, first, end = wanted
    return Filter(
        actor=who,
        action=action,
        project_id=projects.by_name(place).id if place else "",
        key=key,
        since=START + timedelta(hours=first) if first else None,
        until=START + timedelta(hours=end) if end < COUNT else None,
    )


@both
@pytest.mark.parametrize(
    ("who", "places"), [("alice", None), ("bob", {"Default"}), ("dora", {"Default", "Other"})]
)
def test_pages_there_and_back_and_the_stream_cover_each_event_once(
    full: World, who: str, places: set[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "PAGE_SIZE", 20)
    monkeypatch.setattr(audit_log, "BATCH", 20)
    # So that arms are joined in several statements too.
    monkeypatch.setattr(audit_search, "_ARMS_AT_ONCE", 1 if who == "dora" else 100)
    with full.app.app_context():
        newest = db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id.desc()))
        facts = [
            (e.id, e.details) for e in newest if places is None or e.details["place"] in places
        ]
        actor = person(who)
        for wanted in every_filter():
            ids = [event for event, fact in facts if fits(fact, wanted)]
            pages = list(there(actor, as_filter(wanted)))
            assert [event for page in pages for event in page] == ids, wanted
            if pages:
                assert list(back(actor, as_filter(wanted), pages[-1][0]))[::-1] == pages[:-1], (
                    wanted
                )
            if not wanted[4]:
                batches = audit_log.stream(actor, as_filter(wanted))
                assert [event.id for batch in batches for event in batch] == ids, wanted


def there(actor: Person, wanted: Filter) -> Iterator[list[str]]:
    """Pages of ids from the newest on."""
    cursor: str | None = ""
    while cursor is not None:
        page = audit_log.page(actor, wanted, before=cursor)
        assert (page.newer is None) is (cursor == "")
        if page.events:
            yield [event.id for event in page.events]
        cursor = page.older


def back(actor: Person, wanted: Filter, cursor: str | None) -> Iterator[list[str]]:
    """Pages of ids from the one before this event, up to the newest."""
    first = audit_log.page(actor, wanted)
    if first.events[0].id == cursor:
        return
    while cursor is not None:
        page = audit_log.page(actor, wanted, after=cursor)
        yield [event.id for event in page.events]
        cursor = page.newer


def test_a_cursor_past_the_ends_is_as_good_as_none(full: World) -> None:
    with full.app.app_context():
        actor = person("alice")
        newest = [event.id for event in audit_log.page(actor, Filter()).events]
        ends = [{"before": "evt_" + "0" * 23}, {"after": "evt_" + "v" * 23}]
        for cursors in (*ends, {"before": "evt_" + "v" * 23}):
            assert [e.id for e in audit_log.page(actor, Filter(), **cursors).events] == newest


@both
def test_nobody_else_reads_it_and_a_stream_ends_with_the_right_to_it(
    full: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "BATCH", 10)
    with full.app.app_context():
        for read in (audit_log.scope, audit_log.visible_projects):
            with pytest.raises(Forbidden, match=r"Ask Alice\."):
                read(person("charlie"))
        with pytest.raises(Forbidden):
            audit_log.page(person("charlie"), Filter())
        assert not audit_log.may_open(person("charlie"))
        for name in ("bob", "dora"):
            assert audit_log.may_open(person(name))
            batches = audit_log.stream(person(name), Filter())
            assert len(next(batches)) == 10
            if name == "bob":
                full.set_role(name, "member")
            else:
                full.change(name, users.disable)
            with pytest.raises(Forbidden):
                next(batches)
            assert not audit_log.may_open(person(name))


def test_a_stream_keeps_nothing_and_holds_no_transaction(
    full: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "BATCH", 10)
    with full.app.app_context():
        lines = audit_export.as_json_lines(audit_log.stream(person("alice"), Filter()))
        for _ in lines:
            assert not db.session().in_transaction()
            assert [each for each in db.session if isinstance(each, AuditEvent)] == []


def test_every_set_of_filters_is_read_off_an_index(full: World) -> None:
    """In SQLite's words: no look at a whole table, no sorting but of what one key did."""
    with full.app.app_context():
        for name, wanted in product(("alice", "bob", "dora"), every_filter()):
            chosen, actor = as_filter(wanted), person(name)
            arms = audit_search.arms(audit_log.scope(actor), meant(actor, chosen), chosen)
            if not arms:
                continue
            query = audit_search.merged(arms, 51, forwards=False)
            sql = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
            plan = [row[3] for row in db.session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
            looked_at = [step for step in plan if "audit_events" in step]
            pages = wanted[:4] == ("", "", "", "") and name == "alice"
            for step in looked_at:
                assert "USING" in step, (sql, plan)
                assert step.startswith("SEARCH") or pages, (sql, plan)
            if not wanted[3]:
                assert not any("TEMP B-TREE" in step for step in plan), (sql, plan)
            else:
                key_first = ("ix_audit_events_target_id_id", "ix_audit_events_actor_id_id")
                assert all(any(index in step for index in key_first) for step in looked_at), plan


def test_every_action_that_is_recorded_has_words_and_a_place() -> None:
    recorded: set[str] = set()
    for path in (ROOT / "compass" / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("audit.record"):
                action = node.args[1]
                assert isinstance(action, ast.Constant), f"{path}: {ast.unparse(action)}"
                recorded.add(str(action.value))
    assert len(recorded) > 15
    assert recorded - set(audit_words.ACTIONS) == set()
    offered = [action for group in audit_words.grouped().values() for action in group]
    assert sorted(offered) == sorted(audit_words.ACTIONS)


@pytest.mark.parametrize(
    ("action", "details", "words"),
    [
        ("key.created", {"type": "personal", "role": "admin", "days": 1},
         "Created a key for 1 day: personal token, role admin"),
        ("key.created", {"type": "service_account", "role": "member", "days": None},
         "Created a key: service account, role member"),
        ("key.renamed", {"old_name": "CI"}, "Renamed a key from CI"),
        ("key.rotated", {"hint": "h", "overlap_hours": 0, "days": None},
         "Rotated a key: new secret h, the old one ended at once; never to expire"),
        ("key.rotated", {"hint": "h", "overlap_hours": 2},
         "Rotated a key: new secret h, the old one kept for 2 hours"),
        ("member.role_changed", {"user": "a@b", "role": "admin"},
         "Changed the role of a member: a@b, role admin"),
        ("user.created", {"admin": False}, "Created an account"),
        ("user.created", {"setup": True}, "Created an account, an administrator, the first one"),
        ("access.refused", {"route": "/x", "status": 403, "reason": "no"},
         "Was refused access to /x: no; status: 403"),
        ("login.succeeded", {}, "Signed in"),
        ("moon.landed", {"crew_size": None, "landed": True},
         "moon.landed; crew size: none; landed: yes"),
    ],
)  # fmt: skip
def test_sentences(action: str, details: dict[str, object], words: str) -> None:
    assert audit_words.sentence(AuditEvent(action=action, details=details)) == words


@pytest.mark.parametrize("year", [1, 1969, 1970, 2026, 3200, 9999])
def test_the_lowest_id_of_a_moment(year: int) -> None:
    moment = datetime(year, 1, 1, tzinfo=UTC)
    assert is_id(lowest("evt", moment), "evt")
    assert lowest("evt", moment) <= lowest("evt", moment + timedelta(days=1))
    later, earlier = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)
    assert lowest("evt", earlier) < new_id("evt") < lowest("evt", later)
