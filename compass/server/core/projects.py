"""Projects and who is in them."""

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from compass.server.core import audit, users
from compass.server.core.access import Actor
from compass.server.core.errors import Invalid, NotFound
from compass.server.core.models import Membership, Project, Role, User
from compass.server.core.text import clean_name, folded, is_hidden
from compass.server.db import changed, db, is_duplicate


def create(actor: Actor, name: str) -> Project:
    """Raises Invalid."""
    project = Project(name=clean_name(name, "name", "the project"))
    db.session.add(project)
    try:
        db.session.flush()
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        raise Invalid(name=f"There is already a project named {project.name}.") from None
    audit.record(actor, "project.created", project)
    return project


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
    return list(db.session.scalars(query.join(User).order_by(User.email)))


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
    """Adds the user to the project, or changes their role in it."""
    membership = db.session.get(Membership, (user.id, project.id))
    if membership is None:
        db.session.add(Membership(user_id=user.id, project_id=project.id, role=role))
        audit.record(actor, "member.added", project, user=user.email, role=role.value)
    elif membership.role is not role:
        membership.role = role
        audit.record(actor, "member.role_changed", project, user=user.email, role=role.value)


def remove_member(actor: Actor, project: Project, user: User) -> None:
    """Their tokens in this project stop. Raises NotFound for somebody who isn't in it."""
    removed = changed(
        delete(Membership).where(Membership.user_id == user.id, Membership.project_id == project.id)
    )
    if not removed:
        raise NotFound(f"{user.email} is not a member of {project.name}.")
    audit.record(actor, "member.removed", project, user=user.email)
