"""Whatever is done to keys and people, in any order: who may pass is what ten lines say."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from compass.server.core import keys, rotation, users
from compass.server.core.errors import Conflict, Refusal
from compass.server.core.models import Key, Membership, User
from compass.server.db import db, transaction
from tests.world import OPERATOR, World


@dataclass
class Person:
    role: str | None = "member"
    disabled: bool = False


@dataclass
class Secret:
    text: str
    ended: bool = False


@dataclass
class Modelled:
    id: str
    role: str
    owner: Person | None
    secrets: list[Secret] = field(default_factory=list)
    revoked: bool = False
    expired: bool = False


def power(key: Modelled, secret: Secret) -> str | None:
    """The model: the role with which this secret passes, None where it does not."""
    if key.revoked or key.expired or secret.ended:
        return None
    if key.owner is None:
        return key.role
    if key.owner.disabled or key.owner.role is None:
        return None
    return min(key.role, key.owner.role, key=["member", "admin"].index)


class AnyOrder(RuleBasedStateMachine):
    world: World
    names = itertools.count()

    the_keys = Bundle("the_keys")

    @initialize()
    def begin(self) -> None:
        self.made: list[Modelled] = []
        self.bob = Person()
        with self.world.app.app_context(), transaction() as session:
            session.execute(db.delete(Key))
            session.execute(db.delete(Membership))
            session.execute(db.update(User).values(disabled_at=None))
        self.world.set_role("bob", "member")

    def do(self, change: Callable[[], Any]) -> Any:
        """What it gives, or None where the rules say no."""
        with self.world.app.app_context():
            try:
                with transaction():
                    return change()
            except Refusal:
                return None

    @rule(target=the_keys, role=st.sampled_from(["member", "admin"]), is_bobs=st.booleans())
    def create(self, role: str, is_bobs: bool) -> Modelled:
        kind, by = ("personal", "bob") if is_bobs else ("service_account", "alice")
        may = not is_bobs or (not self.bob.disabled and self.bob.role in {role, "admin"})
        name = f"Key {next(self.names)}"
        if not may:
            # What can't be made is a service account in its place, so that there is a key.
            kind, by, is_bobs = "service_account", "alice", False
        text, key_id = self.world.key(name, by=by, type=kind, role=role)
        key = Modelled(key_id, role, self.bob if is_bobs else None, [Secret(text)])
        self.made.append(key)
        return key

    @rule(key=the_keys, hours=st.sampled_from(["0", "1"]))
    def rotate(self, key: Modelled, hours: str) -> None:
        may = not (key.revoked or key.expired) and sum(not s.ended for s in key.secrets) == 1
        rotated = self.do(lambda: rotation.rotate(OPERATOR, key.id, hours, None))
        assert (rotated is not None) is may
        if rotated:
            key.secrets[-1].ended = hours == "0"
            key.secrets.append(Secret(rotated[0]))

    @rule(key=the_keys)
    def end_overlap(self, key: Modelled) -> None:
        assert self.do(lambda: rotation.end_overlap(OPERATOR, key.id)) is not None
        for secret in key.secrets[:-1]:
            secret.ended = True

    @rule(key=the_keys)
    def revoke(self, key: Modelled) -> None:
        assert self.do(lambda: keys.revoke(OPERATOR, key.id)) is not None
        key.revoked = True

    @rule(key=the_keys)
    def expire(self, key: Modelled) -> None:
        created_at = self.world.stored(key.id).created_at
        self.world.set_columns(Key, Key.id == key.id, expires_at=created_at)
        key.expired = True

    @rule(key=the_keys)
    def rename(self, key: Modelled) -> None:
        name = f"Key {next(self.names)}"
        renamed = self.do(lambda: keys.rename(OPERATOR, key.id, name))
        assert (renamed is None) is key.revoked

    @rule(role=st.sampled_from(["member", "admin"]))
    def promote_or_demote(self, role: str) -> None:
        """Also brings back whoever was removed, unless they are disabled."""
        if self.bob.disabled and self.bob.role is None:
            with pytest.raises(Conflict):
                self.world.set_role("bob", role)
            return
        self.world.set_role("bob", role)
        self.bob.role = role

    @rule()
    def remove(self) -> None:
        if self.bob.role is not None:
            self.world.set_role("bob", None)
            self.bob.role = None

    @rule(disabled=st.booleans())
    def disable_or_enable(self, disabled: bool) -> None:
        self.world.change("bob", users.disable if disabled else users.enable)
        self.bob.disabled = disabled

    @invariant()
    def who_passes_is_what_the_model_says(self) -> None:
        for key in getattr(self, "made", []):
            for secret in key.secrets:
                answer = self.world.call("/v1/me", secret.text)
                passes = power(key, secret)
                assert answer.status_code == (200 if passes else 401), answer.json
                assert answer.json.get("role") == passes


def test_any_order(app: Flask) -> None:
    AnyOrder.world = World(app)
    run_state_machine_as_test(
        AnyOrder,
        settings=hypothesis_settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
