"""Projects and who is in them."""

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import joinedload

from compass.server.core import access, audit, users
from compass.server.core.access import Actor
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Findings, Invalid, NotFound
from compass.server.core.ids import is_id
from compass.server.core.models import Key, Membership, Project, Role, User
from compass.server.core.rows import unique
from compass.server.core.text import as_seen, clean_name, clean_text, folded, is_hidden
from compass.server.db import brief, changed, db

LONGEST_DESCRIPTION = 500


def create(actor: Actor, name: str, description: str = "") -> Project:
    """Raises Forbidden, Invalid."""
    access.require_organization_admin(actor)
    name, description = _clean(name, description)
    project = Project(name=name, description=description)
    db.session.add(project)
    with unique(Invalid(name=f"There is already a project named {name}.")):
        db.session.flush()
    audit.record(actor, "project.created", project)
    return project


def find(actor: Actor, project_id: str) -> Project | None:
    """None also for a project that this actor is not in."""
    project = db.session.get(Project, project_id) if is_id(project_id, "prj") else None
    return project if project and actor.role_in(project.id) else None


def get(actor: Actor, project_id: str) -> Project:
    """Raises NotFound, also for a project that this actor is not in."""
    project = find(actor, project_id)
    if project is None:
        raise NotFound("There is no such project, or you are not in it.")
    return project


def change(actor: Actor, project: Project, name: str, description: str) -> None:
    """Renames and describes. Raises Forbidden, Invalid."""
    access.require_project_admin(actor, project)
    old, (name, description) = project.name, _clean(name, description)
    is_described, project.description = project.description != description, description
    project.name = name
    with unique(Invalid(name=f"There is already a project named {name}.")):
        db.session.flush()
    if name != old:
        audit.record(actor, "project.renamed", project, old_name=old)
    if is_described:
        audit.record(actor, "project.described", project)


def delete_for_good(actor: Actor, project: Project, typed: str) -> None:
    """With its keys and all else that is in it; only the record of what was done stays.

    `typed` is its name, as proof that it is meant. Raises Forbidden, NotFound, and Invalid at
    `confirm`.
    """
    access.require_project_admin(actor, project)
    if as_seen(typed) != as_seen(project.name):
        raise Invalid(confirm=f"Type {project.name} to delete it.")
    audit.record(actor, "project.deleted", project, live_keys=live_keys(project))
    db.session.flush()
    if not changed(delete(Project).where(Project.id == project.id)):
        raise NotFound("There is no such project any more.")


def live_keys(project: Project) -> int:
    """How many of its keys can be used now."""
    alive = or_(Key.expires_at.is_(None), Key.expires_at > now())
    count = select(func.count(Key.id)).where(Key.project_id == project.id, alive)
    return db.session.scalar(count.where(Key.revoked_at.is_(None))) or 0


def sizes(project_ids: list[str]) -> dict[str, int]:
    """Project id → how many people were added to it."""
    count = select(Membership.project_id, func.count()).group_by(Membership.project_id)
    rows = db.session.execute(count.where(Membership.project_id.in_(project_ids)))
    return {each[0]: each[1] for each in rows}


def remember(user: User, project: Project) -> None:
    """Where they are, for the navigation to begin with the next time. On the side."""
    if user.last_project_id != project.id:
        with brief() as connection:
            moved = db.update(User).where(User.id == user.id)
            connection.execute(moved.values(last_project_id=project.id))


def by_name(name: str) -> Project:
    """Raises NotFound."""
    wanted = folded(name)
    found = select(Project).where(Project.name == wanted)
    project = None if any(map(is_hidden, wanted)) else db.session.scalar(found)
    if project is None:
        raise NotFound(f"There is no project named {name}.")
    return project


def all_projects() -> list[Project]:
    return list(db.session.scalars(select(Project).order_by(Project.name)))


def of_user(user: User) -> list[Project]:
    """The projects that this user is in, by name."""
    query = select(Project).order_by(Project.name)
    if not user.is_admin:
        query = query.join(Membership).where(Membership.user_id == user.id)
    return list(db.session.scalars(query))


def roles_of(user: User) -> dict[str, Role]:
    """Project id → what this user may do there, for every project that they are in."""
    if user.is_admin:
        return dict.fromkeys(db.session.scalars(select(Project.id)), Role.ADMIN)
    mine = select(Membership.project_id, Membership.role).where(Membership.user_id == user.id)
    return {row.project_id: row.role for row in db.session.execute(mine)}


def members(project: Project) -> list[Membership]:
    query = select(Membership).where(Membership.project_id == project.id)
    query = query.join(User).options(joinedload(Membership.user))
    return list(db.session.scalars(query.order_by(func.lower(User.name), User.id)))


def member(project: Project, user_id: str) -> User:
    """Raises NotFound for somebody who was not added to it."""
    found = select(User).join(Membership).where(Membership.project_id == project.id)
    user = db.session.scalar(found.where(User.id == user_id)) if is_id(user_id, "usr") else None
    if user is None:
        raise NotFound(f"This person is not a member of {project.name}.")
    return user


def memberships(user_ids: list[str]) -> dict[str, list[Membership]]:
    """User id → where they are members, by the project's name."""
    found: dict[str, list[Membership]] = {user_id: [] for user_id in user_ids}
    query = select(Membership).where(Membership.user_id.in_(user_ids)).join(Project)
    query = query.options(joinedload(Membership.project)).order_by(Project.name)
    for each in db.session.scalars(query):
        found[each.user_id].append(each)
    return found


def strangers(project: Project) -> list[User]:
    """Those of the organization who could be added, by name."""
    inside = select(Membership.user_id).where(Membership.project_id == project.id)
    query = select(User).where(User.disabled_at.is_(None), User.id.not_in(inside))
    return list(db.session.scalars(query.order_by(func.lower(User.name), User.id)))


def who_can_help(project: Project) -> list[User]:
    """Those to ask where an admin is needed: the project's admins, else the organization's."""
    admins = db.session.scalars(
        select(User)
        .join(Membership)
        .where(
            Membership.project_id == project.id,
            Membership.role == Role.ADMIN,
            User.disabled_at.is_(None),
        )
        .order_by(User.name)
    )
    return list(admins) or users.admins()


def set_member(actor: Actor, project: Project, user: User, role: Role) -> None:
    """Adds the user to the project, or changes their role in it.

    Raises Forbidden, and Conflict for adding somebody who is disabled.
    """
    access.require_project_admin(actor, project)
    membership = db.session.get(Membership, (user.id, project.id))
    if membership is None:
        _require_enabled(user)
        join(actor, project, user, role)
    elif membership.role is not role:
        membership.role = role
        audit.record(actor, "member.role_changed", project, user=user.email, role=role.value)


def join(actor: Actor, project: Project, user: User, role: Role) -> None:
    """Adds somebody whose right to it was looked at before: by an invitation, or by an admin.

    Raises Conflict for somebody who is in it already.
    """
    db.session.add(Membership(user_id=user.id, project_id=project.id, role=role))
    with unique(Conflict(f"{user.name} is in {project.name} already.")):
        db.session.flush()
    audit.record(actor, "member.added", project, user=user.email, role=role.value)


def add_member(actor: Actor, project: Project, email: str, role: Role) -> User:
    """Raises Forbidden, Invalid."""
    access.require_project_admin(actor, project)
    user = users.find(email)
    if user is None:
        raise Invalid(
            email=f"There is no account for {folded(email)}. An administrator of this "
            "installation can invite them."
            if folded(email)
            else "Enter the email address of somebody with an account here."
        )
    if db.session.get(Membership, (user.id, project.id)) is not None:
        raise Invalid(email=f"{user.name} is in {project.name} already.")
    try:
        _require_enabled(user)
        join(actor, project, user, role)
    except Conflict as conflict:
        raise Invalid(email=str(conflict)) from None
    return user


def remove_member(actor: Actor, project: Project, user: User) -> None:
    """Their tokens in this project stop. Everybody may leave by themselves.

    Raises Forbidden, and NotFound for somebody who isn't in it.
    """
    if actor.id != user.id:
        access.require_project_admin(actor, project)
    removed = changed(
        delete(Membership).where(Membership.user_id == user.id, Membership.project_id == project.id)
    )
    if not removed:
        raise NotFound(f"{user.email} is not a member of {project.name}.")
    if actor.id == user.id:
        audit.record(actor, "member.left", project, user=user.email)
    else:
        audit.record(actor, "member.removed", project, user=user.email)


def _require_enabled(user: User) -> None:
    if user.disabled_at is not None:
        raise Conflict(f"{user.name} is disabled. An administrator has to enable them first.")


def _clean(name: str, description: str) -> tuple[str, str]:
    wrong = Findings()
    with wrong:
        name = clean_name(name, "name", "the project")
    with wrong:
        description = clean_text(description, "description", LONGEST_DESCRIPTION)
    wrong.settle()
    return name, description
