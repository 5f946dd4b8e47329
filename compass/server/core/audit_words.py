"""What the record says, in words: each action that is recorded, and its details."""

from collections.abc import Callable
from typing import Any

from compass.server.core.models import AuditEvent

# Action → what was done, and to what: what a key's own history can leave out.
ACTIONS: dict[str, tuple[str, str]] = {
    "key.created": ("Created", "a key"),
    "key.renamed": ("Renamed", "a key"),
    "key.rotated": ("Rotated", "a key"),
    "key.overlap_ended": ("Ended the old secret", "of a key"),
    "key.rotation_taken_back": ("Took the rotation back", "of a key"),
    "key.revoked": ("Revoked", "a key"),
    "key.replaced": ("Made a service account", "in place of a personal token"),
    "connection.created": ("Created", "a connection"),
    "connection.changed": ("Changed", "a connection"),
    "connection.checked": ("Checked", "a connection"),
    "connection.deleted": ("Deleted", "a connection"),
    "workflow.created": ("Created", "a workflow"),
    "workflow.changed": ("Changed", "a workflow"),
    "workflow.deleted": ("Deleted", "a workflow"),
    "vault.rotated": ("Sealed anew", "the credentials of connections"),
    "project.created": ("Created", "a project"),
    "project.renamed": ("Renamed", "a project"),
    "project.described": ("Described", "a project"),
    "project.deleted": ("Deleted", "a project"),
    "member.added": ("Added", "a member"),
    "member.role_changed": ("Changed the role", "of a member"),
    "member.removed": ("Removed", "a member"),
    "member.left": ("Left", "a project"),
    "user.created": ("Created", "an account"),
    "user.invited": ("Invited", "a person"),
    "invitation.accepted": ("Accepted", "an invitation"),
    "invitation.revoked": ("Revoked", "an invitation"),
    "user.renamed": ("Renamed", "an account"),
    "user.password_changed": ("Changed the password", "of an account"),
    "user.reset_link_created": ("Made a password link", "for an account"),
    "user.disabled": ("Disabled", "an account"),
    "user.enabled": ("Enabled", "an account"),
    "user.promoted": ("Promoted", "a person to administrator"),
    "user.demoted": ("Demoted", "a person from administrator"),
    "login.succeeded": ("Signed in", ""),
    "login.failed": ("Failed to sign in", ""),
    "session.ended": ("Ended", "a session"),
    "sessions.ended": ("Ended the sessions", "of an account"),
    "access.refused": ("Was refused", "access"),
}

# In the order in which they are offered, each with the nouns that its actions begin with.
GROUPS = {
    "Keys": {"key"},
    "Work": {"connection", "workflow", "vault"},
    "Projects": {"project", "member"},
    "People": {"user", "invitation"},
    "Access": {"login", "session", "sessions", "access"},
}


def label(action: str) -> str:
    """`Created a key`. One that is not known here is shown as it is."""
    return " ".join(ACTIONS[action]).rstrip() if action in ACTIONS else action


def grouped() -> dict[str, list[str]]:
    """Group → its actions."""
    return {
        name: [action for action in ACTIONS if action.partition(".")[0] in nouns]
        for name, nouns in GROUPS.items()
    }


def sentence(event: AuditEvent, with_noun: bool = True) -> str:
    """What happened, with all of the details. Plain text, and of strangers: to be escaped."""
    left: dict[str, Any] = dict(event.details or {})
    done, noun = ACTIONS.get(event.action, (event.action, ""))
    start = f"{done} {noun}".rstrip() if with_noun else done
    told = _TAILS[event.action](left) if event.action in _TAILS else ""
    # What no tail has told.
    rest = "; ".join(f"{name.replace('_', ' ')}: {_plain(left[name])}" for name in left)
    return start + told + (f"; {rest}" if rest else "")


def _created_key(left: dict[str, Any]) -> str:
    days, key_type, role = left.pop("days", None), left.pop("type", None), left.pop("role", None)
    kind = {"service_account": "service account", "personal": "personal token"}.get(key_type)
    what = ", ".join(each for each in (kind or key_type, role and f"role {role}") if each)
    return (f" for {_many(days, 'day')}" if days else "") + (f": {what}" if what else "")


def _rotated(left: dict[str, Any]) -> str:
    hours = left.pop("overlap_hours", 0)
    old = f"kept for {_many(hours, 'hour')}" if hours else "ended at once"
    told = f": new secret {left.pop('hint', '')}, the old one {old}"
    if "days" in left:
        days = left.pop("days")
        told += f"; to expire after {_many(days, 'day')}" if days else "; never to expire"
    return told


def _renamed(left: dict[str, Any]) -> str:
    return f" from {left.pop('old_name')}" if "old_name" in left else ""


def _old_secret(left: dict[str, Any]) -> str:
    return f": {left.pop('hint')}" if "hint" in left else ""


def _new_secret(left: dict[str, Any]) -> str:
    return f": ended the new secret {left.pop('hint')}" if "hint" in left else ""


def _member(left: dict[str, Any]) -> str:
    told = f": {left.pop('user')}" if "user" in left else ""
    return told + (f", role {left.pop('role')}" if "role" in left else "")


def _created_user(left: dict[str, Any]) -> str:
    admin, setup = left.pop("admin", False), left.pop("setup", False)
    return (", an administrator" if admin or setup else "") + (", the first one" if setup else "")


def _kind(left: dict[str, Any]) -> str:
    return f": {left.pop('kind')}" if "kind" in left else ""


def _changed_members(left: dict[str, Any]) -> str:
    return f": {left.pop('changed')}" if "changed" in left else ""


def _checked(left: dict[str, Any]) -> str:
    if "ok" not in left:
        return ""
    return ": it works" if left.pop("ok") else ": it does not work"


def _version(left: dict[str, Any]) -> str:
    return f": version {left.pop('version')}" if "version" in left else ""


def _refused(left: dict[str, Any]) -> str:
    told = f" to {left.pop('route').replace('_', ' ')}" if "route" in left else ""
    return told + (f": {left.pop('reason')}" if "reason" in left else "")


def _resealed(left: dict[str, Any]) -> str:
    return f": {_many(left.pop('resealed'), 'connection')}" if "resealed" in left else ""


_TAILS: dict[str, Callable[[dict[str, Any]], str]] = {
    "key.created": _created_key,
    "key.renamed": _renamed,
    "key.rotated": _rotated,
    "key.overlap_ended": _old_secret,
    "key.rotation_taken_back": _new_secret,
    "connection.created": _kind,
    "connection.changed": _changed_members,
    "connection.checked": _checked,
    "workflow.changed": _version,
    "project.renamed": _renamed,
    "member.added": _member,
    "member.role_changed": _member,
    "member.removed": _member,
    "user.created": _created_user,
    "user.renamed": _renamed,
    "vault.rotated": _resealed,
    "access.refused": _refused,
}


def _many(count: Any, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _plain(value: Any) -> str:
    """As people write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
