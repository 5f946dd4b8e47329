"""Who is acting, and the table of who may do what. What is not in the table is refused."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

from sqlalchemy import ColumnElement, and_, false, or_, select, true

from compass.server.core.errors import Forbidden
from compass.server.core.models import Key, KeyType, Membership, Project, Role, User
from compass.server.db import db, serialise


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody at a browser. Their roles are looked up at each question, never kept."""

    user: User
    address: str | None
    type: Literal["user"] = "user"

    @property
    def id(self) -> str:
        return self.user.id

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def owner_id(self) -> str:
        return self.user.id

    def role_in(self, project_id: str) -> Role | None:
        return role_of(self.user, project_id)

    def projects_with(self, role: Role) -> ColumnElement[bool]:
        """The condition on keys' projects in which this person has at least `role`."""
        if self.user.is_admin:
            return true()
        mine = select(Membership.project_id).where(Membership.user_id == self.user.id)
        if role is Role.ADMIN:
            mine = mine.where(Membership.role == Role.ADMIN)
        return Key.project_id.in_(mine)


@dataclass(frozen=True, kw_only=True)
class KeyHolder:
    """A caller with a key: one project, and the role that the key has there now."""

    id: str
    name: str
    project_id: str
    role: Role
    owner_id: str | None
    address: str | None
    type: Literal["key"] = "key"

    def role_in(self, project_id: str) -> Role | None:
        return self.role if project_id == self.project_id else None

    def projects_with(self, role: Role) -> ColumnElement[bool]:
        return Key.project_id == self.project_id if self.role.covers(role) else false()


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Whoever runs `compass-server` on the machine itself."""

    type: Literal["operator"] = "operator"
    id: None = None
    name: str = "compass-server"
    owner_id: None = None
    address: None = None

    def role_in(self, project_id: str) -> Role | None:
        return Role.ADMIN

    def projects_with(self, role: Role) -> ColumnElement[bool]:
        return true()


@dataclass(frozen=True, kw_only=True)
class Nobody:
    """Whoever has not signed in: may do nothing, and is recorded when that is tried."""

    address: str | None
    type: Literal["nobody"] = "nobody"
    id: None = None
    name: str = ""
    owner_id: None = None

    def role_in(self, project_id: str) -> Role | None:
        return None

    def projects_with(self, role: Role) -> ColumnElement[bool]:
        return false()


Actor = Person | KeyHolder | Operator | Nobody


def role_of(user: User, project_id: str) -> Role | None:
    """What this user may do in this project now; None where they are not in it."""
    if user.disabled_at is not None:
        return None
    if user.is_admin:
        return Role.ADMIN
    return db.session.scalar(
        select(Membership.role).where(
            Membership.user_id == user.id, Membership.project_id == project_id
        )
    )


def is_organization_admin(actor: Actor) -> bool:
    """Whether they may all that is done for the installation as a whole, now."""
    if isinstance(actor, Person):
        return actor.user.is_admin and actor.user.disabled_at is None
    return isinstance(actor, Operator)


def require_organization_admin(actor: Actor) -> None:
    """Raises Forbidden."""
    if not is_organization_admin(actor):
        raise Forbidden("Only an administrator of this installation can do this.")


def require_lasting_organization_admin(actor: Actor) -> None:
    """For what makes others powerful: until the transaction ends, nobody is demoted or disabled
    beside it, which would take back what this hands out. Raises Forbidden.
    """
    serialise(db.session(), "admins")
    if isinstance(actor, Person):
        db.session.refresh(actor.user)
    require_organization_admin(actor)


def require_project_admin(actor: Actor, project: Project) -> None:
    """Raises Forbidden."""
    if actor.role_in(project.id) is not Role.ADMIN:
        raise Forbidden(f"Only an admin of {project.name} can do this.")


class Action(StrEnum):
    CREATE_KEY = "create_key"
    SEE_KEY = "see_key"
    REVOKE_KEY = "revoke_key"
    RENAME_KEY = "rename_key"
    ROTATE_KEY = "rotate_key"


class Reach(Enum):
    """Which keys of the project an action reaches. One's own is by owner, never by creator."""

    OWN = "own personal tokens"
    OWN_AND_SERVICE_ACCOUNTS = "own personal tokens and the project's service accounts"
    ALL = "all keys of the project"


# Renaming and rotating stop short of other people's tokens: a new secret would act as them.
TABLE: dict[tuple[Action, Role], Reach] = {
    (Action.CREATE_KEY, Role.MEMBER): Reach.OWN,
    (Action.CREATE_KEY, Role.ADMIN): Reach.OWN_AND_SERVICE_ACCOUNTS,
    (Action.SEE_KEY, Role.MEMBER): Reach.OWN,
    (Action.SEE_KEY, Role.ADMIN): Reach.ALL,
    (Action.REVOKE_KEY, Role.MEMBER): Reach.OWN,
    (Action.REVOKE_KEY, Role.ADMIN): Reach.ALL,
    (Action.RENAME_KEY, Role.MEMBER): Reach.OWN,
    (Action.RENAME_KEY, Role.ADMIN): Reach.OWN_AND_SERVICE_ACCOUNTS,
    (Action.ROTATE_KEY, Role.MEMBER): Reach.OWN,
    (Action.ROTATE_KEY, Role.ADMIN): Reach.OWN_AND_SERVICE_ACCOUNTS,
}


def may(
    actor: Actor, action: Action, project_id: str, key_type: KeyType, owner_id: str | None
) -> bool:
    """Whether the table lets this actor do this to a key of that project, type and owner."""
    role = actor.role_in(project_id)
    reach = TABLE.get((action, role)) if role else None
    if reach is None:
        return False
    if reach is Reach.ALL:
        return True
    if key_type is KeyType.SERVICE_ACCOUNT:
        return reach is Reach.OWN_AND_SERVICE_ACCOUNTS
    # The operator creates tokens for people by name, and is the one who can do all by hand.
    return actor.type == "operator" or (owner_id is not None and owner_id == actor.owner_id)


def may_touch(actor: Actor, action: Action, key: Key) -> bool:
    return may(actor, action, key.project_id, key.type, key.owner_id)


def require(actor: Actor, action: Action, key: Key) -> None:
    """Raises Forbidden, with words that say who can."""
    if may_touch(actor, action, key):
        return
    if key.owner is not None and key.owner_id != actor.owner_id:
        raise Forbidden(f"This token acts as {key.owner.name}. Only they can do this.")
    raise Forbidden("Only an admin of the project can do this.")


def within_reach(actor: Actor, action: Action) -> ColumnElement[bool]:
    """The keys to which this actor may do this: the action's rows of the table, as SQL."""
    rows = [(role, reach) for (each, role), reach in TABLE.items() if each is action]
    return or_(*(and_(actor.projects_with(role), _reached(actor, reach)) for role, reach in rows))


def visible(actor: Actor) -> ColumnElement[bool]:
    """The condition under which keys exist for this actor."""
    return within_reach(actor, Action.SEE_KEY)


def _reached(actor: Actor, reach: Reach) -> ColumnElement[bool]:
    if reach is Reach.ALL:
        return true()
    own = Key.owner_id == actor.owner_id if actor.owner_id else false()
    services = Key.type == KeyType.SERVICE_ACCOUNT
    return or_(own, services) if reach is Reach.OWN_AND_SERVICE_ACCOUNTS else own
