"""What Compass answers with, typed to the member. Times are aware, in UTC.

A server newer than this library may add members, and values to those that have few: members that
are not known here are left out, values are handed on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, cast, get_args, get_type_hints

Shape = TypeVar("Shape")

Role = Literal["member", "admin"]
KeyType = Literal["service_account", "personal"]
KeyStatus = Literal["active", "expired", "revoked"]
ConnectionKind = Literal["http", "postgres"]
RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
EventType = Literal[
    "queued", "started", "step_started", "step_succeeded", "step_failed", "handed_back",
    "lease_expired", "cancel_requested", "succeeded", "failed", "cancelled",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Revoker:
    type: Literal["user", "key", "operator"]
    id: str | None
    email: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, as it may be shown: `hint` has its ends."""

    id: str
    name: str
    type: KeyType
    role: Role
    status: KeyStatus
    hint: str
    owner: Person | None
    created_by: Person | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: Revoker | None


@dataclass(frozen=True, slots=True)
class Me:
    """Whom Compass takes the caller for. `role` is what the key may do now, `user` its owner."""

    key: Key
    role: Role
    project: Project
    user: Person | None


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new secret of the same key. It can't be had again: store it before all else."""

    secret: str = field(repr=False)
    key: Key
    previous_ends_at: datetime


@dataclass(frozen=True, slots=True)
class Check:
    at: datetime
    ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class Connection:
    id: str
    name: str
    kind: ConnectionKind
    config: dict[str, Any]
    has_credentials: bool
    check: Check | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Workflow:
    id: str
    name: str
    version: int
    input_schema: dict[str, Any] | None
    steps: list[dict[str, Any]]
    output: Any
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RunWorkflow:
    """The workflow as it was when the run was asked for."""

    id: str
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class RunError:
    code: str
    step: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Starter:
    type: Literal["key", "user"]
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    workflow: RunWorkflow
    input: dict[str, Any]
    status: RunStatus
    output: Any
    error: RunError | None
    attempt: int
    started_by: Starter
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        return self.status in ENDS


@dataclass(frozen=True, slots=True)
class RunEvent:
    seq: int
    time: datetime
    type: EventType
    step: str | None
    data: Any


# The statuses of a run that has ended, and the types of its last event.
ENDS = ("succeeded", "failed", "cancelled")


def read(shape: type[Shape], members: Any) -> Shape:
    """One of these out of JSON. Raises TypeError, ValueError or KeyError for anything else."""
    if not isinstance(members, dict):
        raise TypeError("not an object")
    return shape(**{name: take(members) for name, take in _takers(cast(type, shape)).items()})


@cache
def _takers(shape: type) -> dict[str, Callable[[dict[str, Any]], Any]]:
    hints = get_type_hints(shape)
    return {each.name: _taker(each.name, hints[each.name]) for each in fields(shape)}


def _taker(name: str, hint: Any) -> Callable[[dict[str, Any]], Any]:
    choices = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kind = next(each for each in choices if each is not NoneType)
    may_be_none = kind is Any or NoneType in choices

    def take(members: dict[str, Any]) -> Any:
        # An older server lacks a member that came later.
        value = members.get(name) if may_be_none else members[name]
        if value is None and may_be_none:
            return None
        if kind is datetime:
            return datetime.fromisoformat(str(value))
        return read(kind, value) if isinstance(kind, type) and is_dataclass(kind) else value

    return take
