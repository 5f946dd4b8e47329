"""What the creation form offers: which types and roles, in which project, and why not."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from compass.server.core import access, keys, projects
from compass.server.core.access import Action, Person
from compass.server.core.clock import now
from compass.server.core.errors import Invalid
from compass.server.core.models import KeyType, Project, Role
from compass.server.web.door import last_project, my_projects
from compass.server.web.times import exact


@dataclass(frozen=True)
class Choice:
    """The form's state: the chosen project, one's role in it, and what follows from that."""

    projects: list[Project]
    project: Project | None
    held: Role | None
    may_make_service_account: bool
    type: str
    role: str
    helpers: str
    lifetime: tuple[str, bool]

    @property
    def may_choose_admin(self) -> bool:
        return self.type == KeyType.SERVICE_ACCOUNT or self.held is Role.ADMIN


def choose(person: Person, form: Any) -> Choice:
    """Fills in what the form leaves open, and says what it can offer."""
    offered = my_projects()
    roles = projects.roles_of(person.user)
    project = _chosen(offered, roles, form.project.data)
    held = roles.get(project.id) if project else None
    may_make = bool(project) and access.may(
        person, Action.CREATE_KEY, project.id if project else "", KeyType.SERVICE_ACCOUNT, None
    )
    form.project.data = project.id if project else None
    if form.type.data not in set(KeyType):
        form.type.data = (KeyType.SERVICE_ACCOUNT if may_make else KeyType.PERSONAL).value
    elif form.type.data == KeyType.SERVICE_ACCOUNT and not may_make and not form.type.errors:
        form.type.data = KeyType.PERSONAL.value
    most = held if form.type.data == KeyType.PERSONAL and held else None
    if form.role.data not in set(Role):
        form.role.data = (most or Role.MEMBER).value
    elif most:
        form.role.data = Role(form.role.data).capped(most).value
    return Choice(
        projects=offered,
        project=project,
        held=held,
        may_make_service_account=may_make,
        type=form.type.data,
        role=form.role.data,
        helpers=keys.names(projects.who_can_help(project)) if project else "",
        lifetime=lifetime(form.expires_in_days.data or ""),
    )


def _chosen(offered: list[Project], roles: dict[str, Role], wanted: str | None) -> Project | None:
    """The wanted project, else the one that they were in last, else the oldest in which one can
    make both types of key."""
    for project in offered:
        if project.id == wanted:
            return project
    last = last_project()
    if last is not None:
        return last
    by_age = sorted(offered, key=lambda project: (roles[project.id] is not Role.ADMIN, project.id))
    return by_age[0] if by_age else None


def lifetime(typed: str) -> tuple[str, bool]:
    """The day that the key would expire on, and whether what was typed is no lifetime."""
    try:
        days = keys.parse_days(typed)
    except Invalid as invalid:
        return str(invalid), bool(typed.strip())
    if days is None:
        return "Never expires.", False
    return f"Expires on {exact(now() + timedelta(days=days))}.", False
