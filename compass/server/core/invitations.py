"""Invitations: a one-time link with which somebody makes their own account."""

from datetime import timedelta

from sqlalchemy import ColumnElement, select, update

from compass.server.core import access, audit, one_time, projects, users
from compass.server.core.access import Actor, Person
from compass.server.core.clock import now
from compass.server.core.errors import Conflict, Findings, Gone, Invalid, NotFound
from compass.server.core.ids import is_id
from compass.server.core.models import Invitation, Project, Role, User
from compass.server.core.text import clean_email
from compass.server.db import changed, db

LIFETIME = timedelta(days=7)


def create(
    actor: Actor, email: str, role: str, project_id: str = "", project_role: str = ""
) -> tuple[str, Invitation]:
    """(token, invitation). The token is nowhere else, and can't be had again.

    All as typed: `role` is the one in the organization; with `project_id` they join that project
    too. Raises Forbidden, Invalid.
    """
    access.require_lasting_organization_admin(actor)
    wrong = Findings()
    project: Project | None = None
    with wrong:
        address = clean_email(email)
        _require_new(address)
    with wrong:
        is_admin = parse_role(role) is Role.ADMIN
    with wrong:
        project = projects.find(actor, project_id) if project_id else None
        if project_id and project is None:
            raise Invalid(project="Choose a project, or none.")
    with wrong:
        in_project = parse_role(project_role, "project_role")
    wrong.settle()
    token, moment = one_time.mint(), now()
    invitation = Invitation(
        token_hash=one_time.digest(token),
        email=address,
        is_admin=is_admin,
        project=project,
        role=in_project,
        creator=actor.user if isinstance(actor, Person) else None,
        created_at=moment,
        expires_at=moment + LIFETIME,
    )
    db.session.add(invitation)
    db.session.flush()
    more = {"project": project.name, "project_role": in_project.value} if project else {}
    audit.record(actor, "user.invited", invitation, admin=is_admin, **more)
    return token, invitation


def parse_role(typed: str, field: str = "role") -> Role:
    """A role as typed; blank is the lower one. Raises Invalid at `field`."""
    if typed and typed not in set(Role):
        raise Invalid(**{field: "Choose member or admin."})
    return Role(typed) if typed else Role.MEMBER


def pending() -> list[Invitation]:
    """Those that can still be accepted, the newest first."""
    query = select(Invitation).where(*_open()).order_by(Invitation.id.desc())
    return list(db.session.scalars(query))


def revoke(actor: Actor, invitation_id: str) -> Invitation:
    """Again and again gives the same invitation and one event.

    Raises Forbidden, NotFound, and Conflict for one that was accepted.
    """
    access.require_organization_admin(actor)
    known = is_id(invitation_id, "inv")
    invitation = db.session.get(Invitation, invitation_id) if known else None
    if invitation is None:
        raise NotFound("There is no such invitation.")
    ending = update(Invitation).where(Invitation.id == invitation.id)
    ending = ending.where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
    if changed(ending.values(revoked_at=now())):
        audit.record(actor, "invitation.revoked", invitation)
    db.session.refresh(invitation)
    if invitation.accepted_at is not None:
        raise Conflict(f"{invitation.email} has accepted already. Disable the account instead.")
    return invitation


def find(token: str) -> Invitation:
    """The invitation that can be accepted with this. Raises NotFound, and Gone for one that was
    once good."""
    digest = one_time.digest(token)
    found = select(Invitation).where(Invitation.token_hash == digest)
    invitation = db.session.scalar(found) if digest else None
    if invitation is None:
        raise NotFound("This invitation is not known here. Check that the link is whole.")
    if invitation.accepted_at is not None:
        raise Gone("This invitation was used already. If it was you, sign in.")
    if invitation.revoked_at is not None:
        raise Gone("This invitation was revoked. Ask for a new one.")
    if invitation.expires_at <= now():
        raise Gone("This invitation has expired. Ask for a new one.")
    return invitation


def accept(token: str, name: str, password_hash: str, address: str | None) -> User:
    """The new user, with what the invitation carries. Of two at once, the second raises Gone.

    Raises NotFound, Gone, Invalid, and Conflict where the address has an account by now.
    """
    invitation = find(token)
    taking = update(Invitation).where(Invitation.id == invitation.id, *_open())
    if not changed(taking.values(accepted_at=now())):
        # Somebody was faster: say what has become of it.
        db.session.refresh(invitation)
        find(token)
    if users.find(invitation.email):
        raise Conflict(f"There is an account for {invitation.email} already. Sign in instead.")
    user = users.add(invitation.email, name, password_hash, invitation.is_admin)
    person = Person(user=user, address=address)
    audit.record(person, "invitation.accepted", user, admin=invitation.is_admin)
    if invitation.project is not None:
        projects.join(person, invitation.project, user, invitation.role)
    return user


def _require_new(address: str) -> None:
    if user := users.find(address):
        way = "It is disabled: enable it instead." if user.disabled_at else "Add it to a project."
        raise Invalid(email=f"There is already an account for {address}. {way}")
    waiting = select(Invitation.id).where(Invitation.email == address, *_open())
    if db.session.scalar(waiting):
        raise Invalid(
            email=f"{address} is invited already. Revoke that invitation to make a new link."
        )


def _open() -> tuple[ColumnElement[bool], ...]:
    return (
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > now(),
    )
