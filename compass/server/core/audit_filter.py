"""What is asked of the record, and whom and what its words mean."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from compass.server.core import access
from compass.server.core.access import Operator, Person
from compass.server.core.ids import is_id
from compass.server.core.models import Key, KeySecret, User
from compass.server.core.text import folded, is_hidden
from compass.server.db import db

# Those who act without an id, as people call them → as the record does.
WITHOUT_ID = {"compass-server": "operator", "nobody": "nobody"}
# Of one name. They have few events each, so that those of all are soon sorted.
_KEYS_OF_A_NAME = 10_000


@dataclass(frozen=True)
class Filter:
    """Blank members do not filter.

    `actor` is an id, an email address, a person's or key's name, or a word of WITHOUT_ID; `key`
    an id, a name or a hint. From `since` on, until before `until`.
    """

    actor: str = ""
    action: str = ""
    project_id: str = ""
    key: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Meant:
    """Whom and which keys a filter's words mean; None for any."""

    people: list[str] | None
    acting_keys: list[str]
    keys: list[str] | None

    @property
    def actors(self) -> list[str] | None:
        return None if self.people is None else self.people + self.acting_keys


def meant(actor: Person | Operator, wanted: Filter) -> Meant:
    """Looks up the words: among all people, and the keys that this actor may know of."""
    people, acting_keys = _called(actor, wanted.actor) if wanted.actor else (None, [])
    return Meant(people, acting_keys, _keys_called(actor, wanted.key) if wanted.key else None)


def _called(actor: Person | Operator, words: str) -> tuple[list[str], list[str]]:
    """The ids of people, and of keys, that these words mean."""
    name = folded(words)
    if any(map(is_hidden, name)):
        return [], []
    if is_id(name, "usr"):
        return [name], []
    without_id = [WITHOUT_ID[name]] if name in WITHOUT_ID else []
    their_own = or_(User.email == name.casefold(), func.lower(User.name) == func.lower(name))
    people = db.session.scalars(select(User.id).where(their_own))
    return [*without_id, *people], _keys_called(actor, name)


def _keys_called(actor: Person | Operator, words: str) -> list[str]:
    name = folded(words)
    if any(map(is_hidden, name)):
        return []
    if is_id(name, "key"):
        return [name]
    hinted = select(KeySecret.key_id).where(KeySecret.hint == name)
    query = select(Key.id).where(or_(Key.name == name, Key.id.in_(hinted)), access.visible(actor))
    return list(db.session.scalars(query.order_by(Key.id.desc()).limit(_KEYS_OF_A_NAME)))
