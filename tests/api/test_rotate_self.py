"""`POST /v1/keys/self/rotate`: automation that renews its own secret."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compass.server.core.models import Key, KeySecret
from compass.server.core.rotation import REMEMBERED
from tests.api.test_me import KEY_MEMBERS
from tests.conftest import both
from tests.world import World

PATH = "/v1/keys/self/rotate"


def rotate(world: World, secret: str, **body: Any) -> Any:
    return world.call(PATH, secret, "POST", json=body)


def is_about(text: str, moment: datetime) -> bool:
    return abs(datetime.fromisoformat(text) - moment) < timedelta(minutes=1)


def status(world: World, secret: str) -> tuple[int, str | None]:
    answer = world.call("/v1/me", secret)
    return answer.status_code, answer.json.get("code")


@both
def test_it_gets_a_second_secret_of_the_same_key(world: World) -> None:
    old, key_id = world.key(role="member")
    answer = rotate(world, old, overlap_hours=24)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) == {"secret", "key", "previous_ends_at"}
    assert set(answer.json["key"]) == KEY_MEMBERS
    new = answer.json["secret"]
    assert new != old
    assert new.startswith("compass_sa_")
    assert is_about(answer.json["previous_ends_at"], datetime.now(UTC) + timedelta(hours=24))
    for secret in (old, new):
        me = world.call("/v1/me", secret).json
        assert (me["key"]["id"], me["key"]["name"], me["role"]) == (key_id, "CI Pipeline", "member")
        assert me["key"]["hint"] == answer.json["key"]["hint"] == f"{new[:15]}…{new[-4:]}"


@both
def test_the_old_secret_is_told_that_it_was_rotated_out(world: World) -> None:
    old, key_id = world.key()
    new = rotate(world, old, overlap_hours=1).json["secret"]
    ended = world.stored(key_id).created_at
    world.set_columns(KeySecret, KeySecret.ends_at.is_not(None), ends_at=ended)
    answer = world.call("/v1/me", old)
    assert (answer.status_code, answer.json["code"]) == (401, "rotated_token")
    assert "this secret of it ended at 20" in answer.json["detail"]
    assert status(world, new) == (200, None)
    assert status(world, rotate(world, new, overlap_hours=1).json["secret"]) == (200, None)


@both
def test_a_third_secret_is_a_conflict(world: World) -> None:
    old, key_id = world.key()
    new = rotate(world, old, overlap_hours=168).json["secret"]
    third = rotate(world, new, overlap_hours=1)
    assert (third.status_code, third.json["code"]) == (409, "conflict")
    assert "two secrets already" in third.json["detail"]
    behind = rotate(world, old, overlap_hours=1)
    assert behind.status_code == 409
    assert "Only the newest one can be replaced" in behind.json["detail"]
    assert len(world.stored(key_id).secrets) == 2
    assert len(world.events("key.rotated")) == 1
    assert status(world, old) == status(world, new) == (200, None)


@both
def test_it_never_prolongs_its_life(world: World) -> None:
    old, key_id = world.key(days="3")
    expires = world.stored(key_id).expires_at
    answer = rotate(world, old, overlap_hours=168).json
    assert world.stored(key_id).expires_at == expires
    # And says when the old secret really stops: with the key.
    assert answer["previous_ends_at"] == answer["key"]["expires_at"]


@both
def test_it_leaves_an_event_and_no_secret(world: World) -> None:
    old, key_id = world.key()
    new = rotate(world, old, overlap_hours=2).json["secret"]
    (event,) = world.events("key.rotated")
    assert (event.actor_type, event.actor_id, event.target_id) == ("key", key_id, key_id)
    hint = f"{new[:15]}…{new[-4:]}"
    assert event.details == {"hint": hint, "overlap_hours": 2}


@pytest.mark.parametrize("hours", [0, 169, -1, 1.5, 24.5, "24", True, None, [], 10**18])
def test_hours_that_are_none_are_refused(world: World, hours: Any) -> None:
    secret, key_id = world.key()
    answer = rotate(world, secret, overlap_hours=hours)
    assert (answer.status_code, answer.json["code"]) == (422, "validation_error")
    assert list(answer.json["errors"]) == ["/overlap_hours"]
    assert len(world.stored(key_id).secrets) == 1


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        ('{"overlap_hours": 24, "more": 1}', "application/json", 422, "validation_error"),
        ("[]", "application/json", 422, "validation_error"),
        ('"24"', "application/json", 422, "validation_error"),
        ("{", "application/json", 400, "malformed_json"),
        ('{"overlap_hours": 1' + "0" * 5000 + "}", "application/json", 400, "malformed_json"),
        ("[" * 100_000, "application/json", 400, "malformed_json"),
        (b'{"overlap_hours": "\xff"}', "application/json", 400, "malformed_json"),
        ('{"overlap_hours": 24}', "text/plain", 415, "unsupported_media_type"),
        ("overlap_hours=24", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ('{"overlap_hours": 24}', None, 415, "unsupported_media_type"),
        (json.dumps({"x": "y" * 1024 * 1024}), "application/json", 413, "too_large"),
    ],
)
def test_a_bad_body_changes_nothing(
    world: World, body: str | bytes, kind: str | None, status: int, code: str
) -> None:
    secret, key_id = world.key()
    answer = world.call(PATH, secret, "POST", data=body, content_type=kind)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert len(world.stored(key_id).secrets) == 1


def test_without_a_body_the_overlap_is_a_day(world: World) -> None:
    bodies: tuple[dict[str, int] | None, ...] = (None, {})
    for body in bodies:
        secret, _ = world.key(f"With {body}")
        answer = world.call(PATH, secret, "POST", json=body)
        assert answer.status_code == 201
        assert is_about(answer.json["previous_ends_at"], datetime.now(UTC) + timedelta(days=1))


@both
def test_an_expired_or_revoked_key_can_not(world: World) -> None:
    expired, expired_id = world.key("Expired", days="3")
    world.set_columns(Key, Key.id == expired_id, expires_at=world.stored(expired_id).created_at)
    revoked, _ = world.key("Revoked")
    world.call("/v1/keys/self/revoke", revoked, "POST")
    assert rotate(world, expired, overlap_hours=1).json["code"] == "expired_token"
    assert rotate(world, revoked, overlap_hours=1).json["code"] == "revoked_token"


@both
def test_a_personal_token_rotates_itself_too(world: World) -> None:
    old, _ = world.key(by="bob", type="personal")
    new = rotate(world, old, overlap_hours=1).json["secret"]
    assert new.startswith("compass_pat_")
    assert world.call("/v1/me", new).json["user"]["name"] == "Bob"


@both
def test_revoking_ends_both_secrets(world: World) -> None:
    old, _ = world.key()
    new = rotate(world, old, overlap_hours=1).json["secret"]
    world.call("/v1/keys/self/revoke", old, "POST")
    assert status(world, old) == status(world, new) == (401, "revoked_token")


@both
def test_a_key_that_rotates_for_years_stays_small(world: World) -> None:
    first, key_id = world.key()
    world.call("/v1/me", first)
    secret = first
    for _ in range(REMEMBERED + 5):
        secret = rotate(world, secret, overlap_hours=1).json["secret"]
        past = world.stored(key_id).created_at
        world.set_columns(KeySecret, KeySecret.ends_at.is_not(None), ends_at=past)
    assert len(world.stored(key_id).secrets) <= REMEMBERED + 1
    assert status(world, secret) == (200, None)
    # What was used last is remembered, whatever was never used since.
    assert world.stored(key_id).last_used_at is not None
