"""Keys: create, find, rename, revoke. The secret leaves this module once, from `create`."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload, selectinload

from compass.server.config import settings
from compass.server.core import access, audit, projects, tokens
from compass.server.core.access import Action, Actor, KeyHolder, Person
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Findings, Invalid, NotFound, Overreach
from compass.server.core.ids import is_id
from compass.server.core.models import Key, KeySecret, KeyType, Project, Role, User
from compass.server.core.rows import unique
from compass.server.core.text import clean_name
from compass.server.db import changed, db

LONGEST_LIFETIME_DAYS = 3650

# What a list or a page shows of a key, in a fixed number of queries.
WITH_PEOPLE = (
    joinedload(Key.project, innerjoin=True),
    joinedload(Key.owner),
    joinedload(Key.creator),
    joinedload(Key.revoker),
    joinedload(Key.revoker_key),
    selectinload(Key.secrets),
)


@dataclass(frozen=True)
class Draft:
    """A key as somebody typed it. `role` blank: the type's default; days blank: never expires."""

    name: str
    type: str
    project_id: str
    role: str = ""
    expires_in_days: str = ""


def create(actor: Actor, draft: Draft, owner: User | None = None) -> tuple[str, Key]:
    """(secret, key). The secret is nowhere else, and can't be had again.

    `owner` is who a personal token acts as; only the operator names somebody else.
    Raises Invalid with every field that is wrong.
    """
    owner = actor.user if isinstance(actor, Person) else owner
    checked = _check(actor, draft, owner)
    days = checked.days
    secret = tokens.mint(checked.type)
    created_at = now()
    creator = actor.user if isinstance(actor, Person) else None
    key = Key(
        project=checked.project,
        name=checked.name,
        type=checked.type,
        role=checked.role,
        owner=owner if checked.type is KeyType.PERSONAL else None,
        creator=creator,
        created_at=created_at,
        expires_at=created_at + timedelta(days=days) if days else None,
        lifetime_days=days,
        secrets=[
            KeySecret(
                digest=tokens.digest(secret),
                hint=tokens.hint(secret),
                created_at=created_at,
                shown_to_id=creator.id if creator else None,
            )
        ],
    )
    db.session.add(key)
    with unique(_taken(key.name, checked.project.name)):
        db.session.flush()
    audit.record(actor, "key.created", key, type=key.type.value, role=key.role.value, days=days)
    return secret, key


def get(actor: Actor, key_id: str) -> Key:
    """Raises NotFound, also for a key that this actor may not know of."""
    query = select(Key).where(Key.id == key_id, access.visible(actor)).options(*WITH_PEOPLE)
    key = db.session.scalar(query) if is_id(key_id, "key") else None
    if key is None:
        where = ", or it is in a project that you are not in" if actor.type == "user" else ""
        raise NotFound(f"There is no such key{where}.")
    return key


def rename(actor: Actor, key_id: str, name: str) -> Key:
    """Raises NotFound, Forbidden, Conflict for a revoked key, Invalid."""
    key = get(actor, key_id)
    access.require(actor, Action.RENAME_KEY, key)
    old, new = key.name, clean_name(name, "name", "the key")
    if new == old and key.revoked_at is None:
        return key
    renaming = update(Key).where(Key.id == key.id, Key.revoked_at.is_(None)).values(name=new)
    with unique(_taken(new, key.project.name)):
        renamed = changed(renaming)
    if not renamed:
        raise Conflict("A revoked key keeps its name.")
    db.session.refresh(key)
    audit.record(actor, "key.renamed", key, old_name=old)
    return key


def revoke(actor: Actor, key_id: str) -> Key:
    """For good, from the next request on. Again and again gives the same key and one event.

    Raises NotFound, Forbidden.
    """
    key = get(actor, key_id)
    access.require(actor, Action.REVOKE_KEY, key)
    return _revoke(actor, key)


def own(caller: KeyHolder) -> Key:
    """The key that is calling, which every key may see of itself."""
    query = select(Key).where(Key.id == caller.id, Key.project_id == caller.project_id)
    return db.session.scalars(query.options(*WITH_PEOPLE)).one()


def revoke_self(caller: KeyHolder) -> Key:
    """A leaked key can end itself, whatever its role."""
    return _revoke(caller, own(caller))


def _revoke(actor: Actor, key: Key) -> Key:
    # Claimed by the row count, so that of several at once only one is recorded.
    claimed = changed(
        update(Key)
        .where(Key.id == key.id, Key.revoked_at.is_(None))
        .values(
            revoked_at=now(),
            revoker_id=actor.id if actor.type == "user" else None,
            revoker_key_id=actor.id if actor.type == "key" else None,
        )
    )
    db.session.refresh(key)
    if claimed:
        audit.record(actor, "key.revoked", key)
    return key


def parse_days(text: str) -> int | None:
    """A lifetime in days as typed; blank is None. Raises Invalid at `expires_in_days`."""
    typed = text.strip()
    most = settings().max_key_lifetime_days
    if not typed:
        if most is not None:
            raise Invalid(expires_in_days=f"Keys here must expire. Enter from 1 to {most} days.")
        return None
    if not (typed.isascii() and typed.isdigit()):
        raise Invalid(
            expires_in_days="Enter a whole number of days."
            if most
            else "Enter a whole number of days, or leave it blank for a key that never expires."
        )
    most = min(most or LONGEST_LIFETIME_DAYS, LONGEST_LIFETIME_DAYS)
    # The length first: Python refuses to read numbers of thousands of digits.
    digits = typed.lstrip("0") or "0"
    if len(digits) > 5 or not 1 <= int(digits) <= most:
        raise Invalid(expires_in_days=f"Enter from 1 to {most} days.")
    return int(digits)


@dataclass(frozen=True)
class _Checked:
    name: str
    type: KeyType
    project: Project
    role: Role
    days: int | None


def _check(actor: Actor, draft: Draft, owner: User | None) -> _Checked:
    wrong = Findings()
    with wrong:
        name = clean_name(draft.name, "name", "the key")
    with wrong:
        days = parse_days(draft.expires_in_days)
    key_type, project = None, None
    with wrong:
        key_type = _type(draft.type)
    with wrong:
        project = _project(actor, draft.project_id)
    with wrong:
        if project and key_type is KeyType.SERVICE_ACCOUNT:
            role = _role_of_service_account(actor, project, draft.role)
        elif project:
            role = _role_of_token(actor, owner, project, draft.role)
    wrong.settle()
    assert key_type and project  # noqa: S101, PT018 (for the type checker: settled above)
    return _Checked(name=name, type=key_type, project=project, role=role, days=days)


def _type(typed: str) -> KeyType:
    if typed not in set(KeyType):
        raise Invalid(type="Choose service account or personal token.")
    return KeyType(typed)


def _project(actor: Actor, project_id: str) -> Project:
    project = db.session.get(Project, project_id) if is_id(project_id, "prj") else None
    if project is None or actor.role_in(project.id) is None:
        raise Overreach(project="Choose a project that you are in.")
    return project


def _role_of_service_account(actor: Actor, project: Project, typed: str) -> Role:
    if not access.may(actor, Action.CREATE_KEY, project.id, KeyType.SERVICE_ACCOUNT, None):
        raise Overreach(
            type=f"Only an admin of {project.name} can create service accounts. "
            f"Ask {names(projects.who_can_help(project))}, or create a personal token."
        )
    return _role(typed, Role.MEMBER)


def _role_of_token(actor: Actor, owner: User | None, project: Project, typed: str) -> Role:
    held = access.role_of(owner, project.id) if owner else None
    if owner is None or held is None:
        raise Invalid(owner=f"Choose an owner who is in {project.name}.")
    role = _role(typed, held)
    whose, whom = (f"{owner.name}'s", "them") if owner.id != actor.id else ("Your", "you")
    if not held.covers(role):
        raise Overreach(
            role=f"{whose} role in {project.name} is {held}, and a token that acts as "
            f"{whom} can't do more than that. Choose {held}."
        )
    return role


def _role(typed: str, default: Role) -> Role:
    if typed and typed not in set(Role):
        raise Invalid(role="Choose member or admin.")
    return Role(typed) if typed else default


def names(people: list[User]) -> str:
    """`Ada`, `Ada or Grace`, `Ada, Grace or Edsger`: at most three, for a sentence."""
    listed = [person.name for person in people[:3]]
    if not listed:
        return "an administrator"
    if len(listed) == 1:
        return listed[0]
    return f"{', '.join(listed[:-1])} or {listed[-1]}"


def _taken(name: str, project_name: str) -> Invalid:
    return Invalid(
        name=f"There is already a live key named {name} in {project_name}. "
        "Choose another name, or revoke that one first."
    )
