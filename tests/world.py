"""People, projects and keys for tests, made through the product's own rules and doors."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import ColumnElement, event, func, select
from werkzeug.test import TestResponse

from compass.server.core import (
    invitations,
    keys,
    passwords,
    projects,
    resets,
    sessions,
    users,
)
from compass.server.core.access import Operator, Person
from compass.server.core.keys import Draft
from compass.server.core.models import AuditEvent, Key, Project, Role, User
from compass.server.db import db, transaction

PASSWORD = "correct horse battery staple"
PATH = "/settings/developers/api-keys"

OPERATOR = Operator()


@cache
def password_hash() -> str:
    """Argon2 is slow on purpose: once for all tests."""
    return passwords.hash_password(PASSWORD)


class World:
    """Alice is an organization admin, Bob a member of Default, Charlie in no project."""

    def __init__(self, app: Flask):
        self.app = app
        self.project = self._id(lambda: projects.by_name("Default"))
        self.alice = self.add_user("alice", admin=True)
        self.bob = self.add_user("bob")
        self.charlie = self.add_user("charlie")
        self.set_role("bob", "member")

    def add_user(self, name: str, admin: bool = False) -> str:
        return self._id(
            lambda: users.create(
                OPERATOR, f"{name}@example.org", name.capitalize(), password_hash(), admin
            )
        )

    def add_project(self, name: str) -> str:
        return self._id(lambda: projects.create(OPERATOR, name))

    def set_role(self, name: str, role: str | None, project: str = "Default") -> None:
        """Makes them a member, an admin, or (None) an outsider of the project."""
        with self.app.app_context(), transaction():
            user, found = users.by_email(f"{name}@example.org"), projects.by_name(project)
            if role is None:
                projects.remove_member(OPERATOR, found, user)
            else:
                projects.set_member(OPERATOR, found, user, Role(role))

    def change(self, name: str, rule: Callable[[Any, User], None]) -> None:
        """users.disable, users.demote, …"""
        with self.app.app_context(), transaction():
            rule(OPERATOR, users.by_email(f"{name}@example.org"))

    def key(
        self,
        name: str = "CI Pipeline",
        *,
        by: str = "alice",
        type: str = "service_account",
        role: str = "",
        project: str = "Default",
        days: str = "",
    ) -> tuple[str, str]:
        """(secret, id) of a new key, made by that person."""
        with self.app.app_context(), transaction():
            actor = Person(user=users.by_email(f"{by}@example.org"), address="192.0.2.1")
            draft = Draft(
                name=name,
                type=type,
                project_id=projects.by_name(project).id,
                role=role,
                expires_in_days=days,
            )
            secret, key = keys.create(actor, draft)
            return secret, key.id

    def stored(self, key_id: str) -> Key:
        with self.app.app_context():
            key = db.session.get(Key, key_id, options=keys.WITH_PEOPLE)
            assert key is not None
            return key

    def set_columns(self, model: type[Any], where: ColumnElement[bool], **values: Any) -> None:
        """What only time does."""
        with self.app.app_context():
            db.session.execute(db.update(model).where(where).values(**values))
            db.session.commit()

    def statements(self) -> list[str]:
        """Every statement that SQLite runs from now on, whoever puts it to the driver."""
        seen: list[str] = []
        with self.app.app_context():
            db.engine.dispose()
            event.listen(db.engine, "connect", lambda c, _: c.set_trace_callback(seen.append))
        return seen

    def count(self, model: type[Any]) -> int:
        with self.app.app_context():
            return db.session.scalar(select(func.count()).select_from(model)) or 0

    def events(self, action: str) -> list[AuditEvent]:
        with self.app.app_context():
            query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)
            return list(db.session.scalars(query))

    def call(self, path: str, secret: str | None = None, method: str = "GET", **kw: Any) -> Any:
        """One call at the key door."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return self.app.test_client().open(path, method=method, headers=headers, **kw)

    def signed_in(self, name: str) -> "Browser":
        """As `browser(name)`, without the password: argon2 is slow on purpose."""
        browser = Browser(self.app.test_client())
        with self.app.app_context(), transaction():
            user = users.by_email(f"{name}@example.org")
            session_id = sessions.start(user, "192.0.2.1", "Mozilla/5.0 (X11; Linux) Firefox/140")
        with browser.client.session_transaction() as cookie:
            cookie["_user_id"] = session_id
        return browser

    def invite(self, email: str = "dora@example.org", **more: str) -> tuple[str, str]:
        """(token, id) of an invitation that Alice makes."""
        with self.app.app_context(), transaction():
            actor = Person(user=users.by_email("alice@example.org"), address=None)
            token, invitation = invitations.create(actor, email, more.pop("role", ""), **more)
            return token, invitation.id

    def reset_link(self, name: str) -> str:
        """The token of a password reset that the operator hands out."""
        with self.app.app_context(), transaction():
            return resets.create(OPERATOR, users.by_email(f"{name}@example.org"))

    def dump(self) -> dict[str, list[Any]]:
        """All that is stored, but where people were last and when they were seen there."""
        asides = {"last_seen_at", "last_project_id"}
        with self.app.app_context():
            tables = {
                table.name: [
                    tuple(value for name, value in row._mapping.items() if name not in asides)
                    for row in db.session.execute(table.select())
                ]
                for table in db.metadata.sorted_tables
            }
            db.session.rollback()
        return {name: sorted(rows, key=repr) for name, rows in tables.items()}

    def browser(self, name: str | None = None) -> "Browser":
        browser = Browser(self.app.test_client())
        if name:
            browser.sign_in(name)
        return browser

    def _id(self, make: Callable[[], User | Project]) -> str:
        with self.app.app_context(), transaction():
            return make().id


class Browser:
    """A test client that sends forms as a browser would, CSRF token and all."""

    def __init__(self, client: FlaskClient):
        self.client = client

    def sign_in(self, name: str, password: str = PASSWORD) -> TestResponse:
        form = {"email": f"{name}@example.org", "password": password}
        return self.post("/login", form)

    def get(self, path: str, *, htmx: bool = False, **kw: Any) -> TestResponse:
        return self.client.get(path, headers={"HX-Request": "true"} if htmx else {}, **kw)

    def post(
        self, path: str, form: dict[str, Any] | None = None, *, htmx: bool = False, **kw: Any
    ) -> TestResponse:
        headers = {"HX-Request": "true"} if htmx else {}
        data = {"csrf_token": self.token(), **(form or {})}
        return self.client.post(path, data=data, headers=headers | kw.pop("headers", {}), **kw)

    def token(self) -> str:
        page = self.client.get("/account", follow_redirects=True).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        return found.group(1) if found else ""

    def create(self, **fields: str) -> TestResponse:
        form = {"name": "CI Pipeline", "type": "service_account"} | fields
        return self.post(PATH, form)


def secret_in(page: str) -> str:
    found = re.search(r"compass_(?:sa|pat)_[0-9A-Za-z]{46}", page)
    assert found, page
    return found.group()
