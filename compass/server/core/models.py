"""The tables. What may be done with their rows is in the module of each noun."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import JSON, Enum, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from compass.server.core.clock import now
from compass.server.core.ids import new_id
from compass.server.db import Model


class Role(StrEnum):
    """What a person or key may do in a project. Ordered: an admin may all that a member may."""

    MEMBER = "member"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        return self is Role.ADMIN or needed is Role.MEMBER

    def capped(self, most: "Role") -> "Role":
        """The lower of the two."""
        return self if most is Role.ADMIN else most


class KeyType(StrEnum):
    SERVICE_ACCOUNT = "service_account"
    PERSONAL = "personal"


class KeyStatus(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


EXPIRY_WARNING = timedelta(days=14)


def is_soon(moment: datetime) -> bool:
    """Whether an expiry is so near that it is warned of."""
    return moment - now() <= EXPIRY_WARNING


def as_words(kind: type[StrEnum]) -> Enum:
    """Stored as its words, so that adding one later is not a change of the schema."""
    return Enum(
        kind,
        native_enum=False,
        length=20,
        values_callable=lambda members: [member.value for member in members],
    )


class User(Model):
    """A person. Organization admins (`is_admin`) are admins of every project."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("usr"))
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str]
    is_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    disabled_at: Mapped[datetime | None]
    # Where they were last, for the navigation to begin with.
    last_project_id: Mapped[str | None] = mapped_column(
        ForeignKey("projects.id", ondelete="SET NULL")
    )


class Session(Model):
    """One browser login. The cookie carries the id; only its SHA-256 is here."""

    __tablename__ = "sessions"

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(200))

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class LoginAttempt(Model):
    """A password that was tried lately: what login throttling counts."""

    __tablename__ = "login_attempts"
    __table_args__ = (
        Index("ix_login_attempts_account_hash_at", "account_hash", "at"),
        Index("ix_login_attempts_address_at", "address", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # A hash, because people type passwords into the wrong field.
    account_hash: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=now, index=True)


class Project(Model):
    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("prj"))
    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)


class Membership(Model):
    __tablename__ = "memberships"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[Role] = mapped_column(as_words(Role))
    created_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship()
    project: Mapped[Project] = relationship()


class Invitation(Model):
    """A one-time link that makes an account. Its token is shown once and kept only hashed."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("inv"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254), index=True)
    is_admin: Mapped[bool] = mapped_column(default=False)
    project_id: Mapped[str | None] = mapped_column(
        ForeignKey("projects.id", ondelete="SET NULL"), index=True
    )
    # In that project, where there is one.
    role: Mapped[Role] = mapped_column(as_words(Role), default=Role.MEMBER)
    # None: by the operator.
    creator_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    project: Mapped[Project | None] = relationship(lazy="joined")
    creator: Mapped[User | None] = relationship(lazy="joined")

    @property
    def name(self) -> str:
        """What the record of it is called."""
        return self.email


class PasswordReset(Model):
    """A one-time link that sets a password. Kept only hashed, and at most one a user."""

    __tablename__ = "password_resets"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    # None: by the operator.
    creator_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]

    user: Mapped[User] = relationship(foreign_keys=user_id, lazy="joined", innerjoin=True)


class Revoker(NamedTuple):
    """Who revoked a key; `id` and `email` are None where there is none."""

    type: str
    id: str | None
    email: str | None
    name: str


class Key(Model):
    """The identity that calls. Its secrets are rows of their own, so that they can rotate."""

    __tablename__ = "keys"
    __table_args__ = (
        # A name is free again once its key is revoked. Expired keys still hold theirs.
        Index(
            "uq_keys_service_account_name",
            "project_id",
            "name",
            unique=True,
            sqlite_where=text("type = 'service_account' AND revoked_at IS NULL"),
            postgresql_where=text("type = 'service_account' AND revoked_at IS NULL"),
        ),
        Index(
            "uq_keys_personal_name",
            "project_id",
            "owner_id",
            "name",
            unique=True,
            sqlite_where=text("type = 'personal' AND revoked_at IS NULL"),
            postgresql_where=text("type = 'personal' AND revoked_at IS NULL"),
        ),
        Index("ix_keys_project_id_id", "project_id", "id"),
        Index("ix_keys_name", "name"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("key"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    type: Mapped[KeyType] = mapped_column(as_words(KeyType))
    role: Mapped[Role] = mapped_column(as_words(Role))
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    creator_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    # What was chosen with the expiry, for a rotation to choose again. None: never expires.
    lifetime_days: Mapped[int | None]
    revoked_at: Mapped[datetime | None]
    # At most one of the two: revoked by a person, by a key, or (neither) by the operator.
    revoker_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    revoker_key_id: Mapped[str | None] = mapped_column(
        ForeignKey("keys.id", ondelete="SET NULL"), index=True
    )

    project: Mapped[Project] = relationship()
    owner: Mapped[User | None] = relationship(foreign_keys=owner_id)
    creator: Mapped[User | None] = relationship(foreign_keys=creator_id)
    revoker: Mapped[User | None] = relationship(foreign_keys=revoker_id)
    revoker_key: Mapped["Key | None"] = relationship(
        foreign_keys=revoker_key_id, remote_side="Key.id"
    )
    secrets: Mapped[list["KeySecret"]] = relationship(
        back_populates="key", order_by="KeySecret.id", passive_deletes=True
    )

    @property
    def status(self) -> KeyStatus:
        if self.revoked_at is not None:
            return KeyStatus.REVOKED
        if self.expires_at is not None and self.expires_at <= now():
            return KeyStatus.EXPIRED
        return KeyStatus.ACTIVE

    @property
    def expires_soon(self) -> bool:
        """From now on those who can do something about it are told."""
        ends = self.expires_at
        return self.status is KeyStatus.ACTIVE and ends is not None and is_soon(ends)

    @property
    def secret(self) -> "KeySecret":
        """The newest one, which has no end of its own: there is always one."""
        return next(secret for secret in self.secrets if secret.ends_at is None)

    @property
    def old_secret(self) -> "KeySecret | None":
        """The one before, while a rotation lets it go on."""
        moment = now()
        ending = (each for each in self.secrets if each.ends_at and each.ends_at > moment)
        return next(ending, None)

    @property
    def hint(self) -> str:
        return self.secret.hint

    @property
    def last_use(self) -> "KeySecret | None":
        """The secret used most lately, None where none ever was."""
        used = [secret for secret in self.secrets if secret.last_used_at is not None]
        return max(used, key=lambda secret: secret.last_used_at or secret.created_at, default=None)

    @property
    def last_used_at(self) -> datetime | None:
        return self.last_use.last_used_at if self.last_use else None

    @property
    def revoked_by(self) -> Revoker | None:
        if self.revoked_at is None:
            return None
        if self.revoker is not None:
            return Revoker("user", self.revoker.id, self.revoker.email, self.revoker.name)
        if self.revoker_key is not None:
            return Revoker("key", self.revoker_key.id, None, self.revoker_key.name)
        return Revoker("operator", None, None, "compass-server")


class KeySecret(Model):
    """One secret of a key: its SHA-256 and what may be shown of it, never the secret."""

    __tablename__ = "key_secrets"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("keys.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(32), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    ends_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_address: Mapped[str | None] = mapped_column(String(64))
    last_used_agent: Mapped[str | None] = mapped_column(String(200))
    # Who has seen it, or the one before it with which the key rotated itself. None: the operator.
    shown_to_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)

    key: Mapped[Key] = relationship(back_populates="secrets")


class ConnectionKind(StrEnum):
    HTTP = "http"
    POSTGRES = "postgres"


class Connection(Model):
    """Where workflows may go, with the credentials that they go with. Those are sealed."""

    __tablename__ = "connections"
    __table_args__ = (Index("uq_connections_name", "project_id", "name", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("con"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    kind: Mapped[ConnectionKind] = mapped_column(as_words(ConnectionKind))
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    checked_at: Mapped[datetime | None]
    check_ok: Mapped[bool | None]
    check_message: Mapped[str | None] = mapped_column(String(300))

    project: Mapped[Project] = relationship()


class Workflow(Model):
    """What may be done with connections, as admins wrote it. `version` grows with each change."""

    __tablename__ = "workflows"
    __table_args__ = (Index("uq_workflows_name", "project_id", "name", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("wfl"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(default=1)
    # input_schema, steps, output.
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)

    uses: Mapped[list["WorkflowConnection"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True
    )


class WorkflowConnection(Model):
    """That a workflow uses a connection, which is not deleted or renamed meanwhile."""

    __tablename__ = "workflow_connections"

    workflow_id: Mapped[str] = mapped_column(
        ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    # Looked at when the transaction ends: with their project both go, in whatever order.
    connection_id: Mapped[str] = mapped_column(
        ForeignKey("connections.id", deferrable=True, initially="DEFERRED"),
        primary_key=True,
        index=True,
    )


class AuditEvent(Model):
    """What was done. Names are kept as they were then: what they name may be gone.

    No foreign keys: events outlive what they speak of.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_project_id_id", "project_id", "id"),
        Index("ix_audit_events_target_id_id", "target_id", "id"),
        # One for each set of filters, so that none has to look for its fifty among others.
        Index("ix_audit_events_action_id", "action", "id"),
        Index("ix_audit_events_actor_id_id", "actor_id", "id"),
        Index("ix_audit_events_actor_id_action_id", "actor_id", "action", "id"),
        Index("ix_audit_events_project_id_action_id", "project_id", "action", "id"),
        # With the action behind the id: all three filters together read this one alone.
        Index("ix_audit_events_project_id_actor_id_id", "project_id", "actor_id", "id", "action"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("evt"))
    at: Mapped[datetime] = mapped_column(default=now)
    action: Mapped[str] = mapped_column(String(60))
    actor_type: Mapped[str] = mapped_column(String(20))
    # The type again where an actor has no id (operator, nobody), so that all are found alike.
    actor_id: Mapped[str | None]
    actor_name: Mapped[str] = mapped_column(String(80))
    target_type: Mapped[str | None] = mapped_column(String(20))
    target_id: Mapped[str | None]
    target_name: Mapped[str | None] = mapped_column(String(80))
    project_id: Mapped[str | None]
    address: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
