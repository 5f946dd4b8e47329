"""Before somebody goes: what stops with them, and what they take along.

Their personal tokens stop when they are removed or disabled. The secrets of service accounts that
they have seen do not: those go on working for whoever has a copy.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, tuple_

from compass.server.core import access, audit, keys
from compass.server.core.access import Action, Actor
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Forbidden
from compass.server.core.keys import WITH_PEOPLE, Draft
from compass.server.core.models import (
    Key,
    KeySecret,
    KeyStatus,
    KeyType,
    Membership,
    Project,
    User,
)
from compass.server.core.rotation import renewed_days
from compass.server.db import db


@dataclass(frozen=True)
class Report:
    """All are live keys, those used last first.

    `tokens` stop; `dormant` are refused already, and come back with their owner. Of the `seen`
    service accounts this person knows a secret that still works.
    """

    tokens: list[Key]
    dormant: list[Key]
    seen: list[Key]
    # Of tokens: for whom there is a service account of their name already. Token id → its key.
    namesakes: dict[str, Key]


def report(user: User, project: Project | None = None, as_admin: bool = False) -> Report:
    """Of one project, or of all; or, `as_admin`, of those that they are in as an organization admin
    alone. For whoever may let this person go.
    """
    member_of = select(Membership.project_id).where(Membership.user_id == user.id)
    where = _alive()
    if project is not None:
        where.append(Key.project_id == project.id)
    if as_admin:
        where.append(Key.project_id.not_in(member_of))
    theirs = select(Key).where(Key.owner_id == user.id, *where)
    found = _by_last_use(theirs)
    inside = set(db.session.scalars(member_of))
    works = [
        key
        for key in found
        if user.disabled_at is None and (user.is_admin or key.project_id in inside)
    ]
    known = _knows(KeySecret.shown_to_id == user.id)
    seen = select(Key).where(Key.type == KeyType.SERVICE_ACCOUNT, known, *where)
    return Report(
        tokens=works,
        dormant=[key for key in found if key not in works],
        seen=_by_last_use(seen),
        namesakes=_namesakes(works),
    )


def lingering(project: Project) -> list[tuple[Key, list[User]]]:
    """The project's service accounts of which somebody knows a secret who is not in it any more,
    and who that is. For its admins."""
    inside = select(Membership.user_id).where(Membership.project_id == project.id)
    gone = or_(
        User.disabled_at.is_not(None), and_(User.is_admin.is_(False), User.id.not_in(inside))
    )
    pairs = (
        select(KeySecret.key_id, User)
        .join(User, User.id == KeySecret.shown_to_id)
        .join(Key, Key.id == KeySecret.key_id)
        .where(Key.project_id == project.id, Key.type == KeyType.SERVICE_ACCOUNT, gone)
        .where(_works(), *_alive())
        .order_by(User.name)
    )
    who: dict[str, list[User]] = {}
    for key_id, user in db.session.execute(pairs):
        known = who.setdefault(key_id, [])
        if user not in known:
            known.append(user)
    return [(key, who[key.id]) for key in _by_last_use(select(Key).where(Key.id.in_(list(who))))]


def replace(actor: Actor, key_id: str) -> tuple[str, Key]:
    """(secret, key) of a service account in place of a personal token: of the same name, project
    and lifetime, and with the role that the token has now. The token goes on until it is stopped.

    Raises NotFound, Forbidden, Conflict for a token that does not work any more, and Invalid where
    the name is taken.
    """
    token = keys.get(actor, key_id)
    if token.owner is None or token.status is not KeyStatus.ACTIVE:
        raise Conflict("Only a personal token that still works can be replaced.")
    if not access.may(actor, Action.CREATE_KEY, token.project_id, KeyType.SERVICE_ACCOUNT, None):
        raise Forbidden(f"Only an admin of {token.project.name} can create service accounts.")
    held = access.role_of(token.owner, token.project_id)
    if held is None:
        raise Conflict("This token does not work now, so there is nothing to go on in its place.")
    days = renewed_days(token)
    draft = Draft(
        name=token.name,
        type=KeyType.SERVICE_ACCOUNT.value,
        project_id=token.project_id,
        role=token.role.capped(held).value,
        expires_in_days=str(days) if days else "",
    )
    secret, made = keys.create(actor, draft)
    audit.record(actor, "key.replaced", token, by=made.id)
    return secret, made


def _alive() -> list[ColumnElement[bool]]:
    return [Key.revoked_at.is_(None), or_(Key.expires_at.is_(None), Key.expires_at > now())]


def _works() -> ColumnElement[bool]:
    return or_(KeySecret.ends_at.is_(None), KeySecret.ends_at > now())


def _knows(somebody: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(KeySecret.key_id == Key.id, somebody, _works())


def _namesakes(found: list[Key]) -> dict[str, Key]:
    names = {(key.project_id, key.name): key.id for key in found}
    if not names:
        return {}
    same = tuple_(Key.project_id, Key.name).in_(list(names))
    query = select(Key).where(same, Key.type == KeyType.SERVICE_ACCOUNT, Key.revoked_at.is_(None))
    return {names[key.project_id, key.name]: key for key in db.session.scalars(query)}


def _by_last_use(query: Select[Key]) -> list[Key]:
    found = list(db.session.scalars(query.options(*WITH_PEOPLE)))
    return sorted(found, key=lambda key: key.last_used_at or key.created_at, reverse=True)
