"""Before somebody goes: what stops with them, and what they take along.

Their personal tokens stop when they are removed or disabled. The secrets of service accounts that
they have seen do not: those go on working for whoever has a copy.
"""

from dataclasses import dataclass

from sqlalchemy import exists, or_, select

from compass.server.core import access, audit, keys
from compass.server.core.access import Action, Actor
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Forbidden
from compass.server.core.keys import WITH_PEOPLE, Draft
from compass.server.core.models import Key, KeySecret, KeyStatus, KeyType, Project, User
from compass.server.core.rotation import renewed_days
from compass.server.db import db


@dataclass(frozen=True)
class Report:
    """`tokens` stop; of the `seen` service accounts this person knows a secret that still works.

    Both are live keys, those used last first.
    """

    tokens: list[Key]
    seen: list[Key]


def report(user: User, project: Project | None = None) -> Report:
    """Of one project, or of all. For whoever may let this person go."""
    alive = [Key.revoked_at.is_(None), or_(Key.expires_at.is_(None), Key.expires_at > now())]
    if project is not None:
        alive.append(Key.project_id == project.id)
    theirs = select(Key).where(Key.owner_id == user.id, *alive)
    secret_lives = or_(KeySecret.ends_at.is_(None), KeySecret.ends_at > now())
    known = exists().where(
        KeySecret.key_id == Key.id, KeySecret.shown_to_id == user.id, secret_lives
    )
    seen = select(Key).where(Key.type == KeyType.SERVICE_ACCOUNT, known, *alive)
    return Report(
        tokens=_by_last_use(list(db.session.scalars(theirs.options(*WITH_PEOPLE)))),
        seen=_by_last_use(list(db.session.scalars(seen.options(*WITH_PEOPLE)))),
    )


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
        raise Conflict(f"{token.owner.name} is not in {token.project.name} any more.")
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


def _by_last_use(found: list[Key]) -> list[Key]:
    return sorted(found, key=lambda key: key.last_used_at or key.created_at, reverse=True)
