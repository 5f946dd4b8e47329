"""Migrations: up and down on both databases, with data in them, and nothing left to migrate."""

import shutil
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect, text

from compass.server import create_app, schema
from compass.server.config import Settings
from compass.server.core.models import Key, KeySecret, Membership, Project, User
from compass.server.db import db
from compass.server.resources import folder
from tests.conftest import both
from tests.world import PATH, World

REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010"]


def tables(app: Flask) -> set[str]:
    with app.app_context():
        return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


@both
def test_the_models_are_what_the_migrations_make(app: Flask) -> None:
    with app.app_context():
        check()


@both
def test_all_the_way_down_and_up_again(world: World) -> None:
    world.key()
    with world.app.app_context():
        downgrade(revision="base")
    assert tables(world.app) == set()
    with world.app.app_context():
        upgrade()
        assert [project.name for project in db.session.scalars(db.select(Project))] == ["Default"]
    assert "keys" in tables(world.app)


@both
@pytest.mark.parametrize("revision", REVISIONS[1:])
def test_each_step_down_and_up_keeps_what_it_does_not_own(world: World, revision: str) -> None:
    secret, _ = world.key()
    kept = [User, Project, Membership] + ([Key, KeySecret] if revision > "0002" else [])
    before = [world.count(model) for model in kept]
    with world.app.app_context():
        downgrade(revision=REVISIONS[REVISIONS.index(revision) - 1])
        upgrade()
    assert [world.count(model) for model in kept] == before
    if revision > "0002":
        assert world.call("/v1/me", secret).status_code == 200


def test_a_table_that_is_built_anew_takes_no_other_with_it(world: World, tmp_path: Path) -> None:
    """SQLite: with foreign keys on, dropping the old `projects` would cascade to its keys.

    Runs a migration of its own through the real env.py.
    """
    scripts = tmp_path / "migrations"
    shutil.copytree(folder("migrations"), scripts)
    (scripts / "versions" / "9999_rebuild_projects.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = '9999', '0010'\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('projects', recreate='always') as batch:\n"
        "        batch.alter_column('description', server_default='')\n"
    )
    secret, _ = world.key()
    with world.app.app_context():
        upgrade(directory=str(scripts))
        revision = db.session.scalar(text("SELECT version_num FROM alembic_version"))
        on = db.session.scalar(text("PRAGMA foreign_keys"))
    assert (revision, on) == ("9999", 1)
    assert world.call("/v1/me", secret).status_code == 200


@both
def test_a_schema_of_a_later_version_is_left_as_it_is(app: Flask) -> None:
    with app.app_context():
        db.session.execute(text("UPDATE alembic_version SET version_num = 'later'"))
        db.session.commit()
        schema.upgrade()
        revision = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    assert revision == "later"


def test_a_migration_that_fails_leaves_the_schema_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    app = create_app(settings)
    with app.app_context():
        downgrade(revision="0001")
        before = tables(app)
        real = op.create_table

        def fail(name: str, *args: object, **kwargs: object) -> object:
            if name == "key_secrets":
                raise OSError("the disk is full")
            return real(name, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(op, "create_table", fail)
        with pytest.raises(OSError, match="disk is full"):
            upgrade()
        assert tables(app) == before
        monkeypatch.undo()
        upgrade()
    assert "keys" in tables(app)
    with app.app_context():
        db.engine.dispose()


@both
def test_keys_made_before_rotation_have_the_lifetime_that_they_were_given(world: World) -> None:
    lifetimes = {"30": 30, "1": 1, "": None}
    ids = {world.key(f"For {days}", days=days)[1]: wanted for days, wanted in lifetimes.items()}
    with world.app.app_context():
        downgrade(revision="0003")
        upgrade()
    assert {key_id: world.stored(key_id).lifetime_days for key_id in ids} == ids


@both
def test_secrets_made_before_people_were_shown_to_whoever_made_them(world: World) -> None:
    world.set_role("bob", "admin")
    _, key_id = world.key(by="alice")
    world.browser("bob").post(f"{PATH}/{key_id}/rotate", {"overlap_hours": "24"})
    self_rotated, other_id = world.key("Other", by="alice")
    world.call("/v1/keys/self/rotate", self_rotated, "POST")
    with world.app.app_context():
        downgrade(revision="0004")
        upgrade()
    assert [each.shown_to_id for each in world.stored(key_id).secrets] == [world.alice, world.bob]
    assert [each.shown_to_id for each in world.stored(other_id).secrets] == [world.alice] * 2


@both
def test_those_without_an_id_are_recorded_by_their_type(world: World) -> None:
    world.browser().post("/login", {"email": "bob@example.org", "password": "wrong wrong"})

    def actors() -> set[tuple[str, str | None]]:
        with world.app.app_context():
            events = db.session.execute(text("SELECT actor_type, actor_id FROM audit_events"))
            return {(row.actor_type, row.actor_id) for row in events}

    recorded = {("operator", "operator"), ("nobody", "nobody")}
    assert actors() == recorded
    with world.app.app_context():
        downgrade(revision="0005")
    assert actors() == {("operator", None), ("nobody", None)}
    with world.app.app_context():
        upgrade()
    assert actors() == recorded
