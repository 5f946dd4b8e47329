"""What /v1 answers with, as plain values. schemas.py documents the same shapes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from compass.server.core import run_events
from compass.server.core.clock import rfc3339
from compass.server.core.models import Connection, Key, Revoker, User, Workflow
from compass.server.core.run_models import Run, RunEvent
from compass.server.core.verification import Named, Verified

Body = dict[str, Any]


def me(caller: Verified) -> Body:
    return {
        "key": key(caller),
        "role": caller.power,
        "project": {"id": caller.project_id, "name": caller.project_name},
        "user": _person(caller.owner),
    }


def key(key: Key | Verified) -> Body:
    return {
        "id": key.id,
        "name": key.name,
        "type": key.type,
        "role": key.role,
        "status": key.status,
        "hint": key.hint,
        "owner": _person(key.owner),
        "created_by": _person(key.creator),
        "created_at": rfc3339(key.created_at),
        "expires_at": _instant(key.expires_at),
        "last_used_at": _instant(key.last_used_at),
        "revoked_at": _instant(key.revoked_at),
        "revoked_by": _revoker(key.revoked_by),
    }


def keys(items: Sequence[Key], next_cursor: str | None) -> Body:
    return {"items": [key(item) for item in items], "next_cursor": next_cursor}


def rotated(secret: str, rotated: Key) -> Body:
    # Of those with an end, the one before the newest has the last.
    ends_at = max(each.ends_at for each in rotated.secrets if each.ends_at)
    return {"secret": secret, "key": key(rotated), "previous_ends_at": _instant(ends_at)}


def connection(connection: Connection) -> Body:
    at = connection.checked_at
    check = {
        "at": _instant(at),
        "ok": bool(connection.check_ok),
        "message": connection.check_message or "",
    }
    return {
        "id": connection.id,
        "name": connection.name,
        "kind": connection.kind,
        "config": connection.config,
        "has_credentials": True,
        "check": check if at else None,
        "created_at": rfc3339(connection.created_at),
        "updated_at": rfc3339(connection.updated_at),
    }


def connections(items: Sequence[Connection], next_cursor: str | None) -> Body:
    return {"items": [connection(item) for item in items], "next_cursor": next_cursor}


def workflow(workflow: Workflow) -> Body:
    return {
        "id": workflow.id,
        "name": workflow.name,
        "version": workflow.version,
        **workflow.definition,
        "created_at": rfc3339(workflow.created_at),
        "updated_at": rfc3339(workflow.updated_at),
    }


def workflows(items: Sequence[Workflow], next_cursor: str | None) -> Body:
    return {"items": [workflow(item) for item in items], "next_cursor": next_cursor}


def run(run: Run) -> Body:
    error = {"code": run.error_code, "step": run.error_step, "message": run.error_message}
    return {
        "id": run.id,
        "workflow": {
            "id": run.workflow_id,
            "name": run.workflow_name,
            "version": run.workflow_version,
        },
        "input": run.input,
        "status": run.status,
        "output": run.output,
        "error": error if run.error_code else None,
        "attempt": run.attempt,
        "started_by": {"type": run.starter_type, "id": run.starter_id, "name": run.starter_name},
        "created_at": rfc3339(run.created_at),
        "started_at": _instant(run.started_at),
        "finished_at": _instant(run.finished_at),
    }


def runs(items: Sequence[Run], next_cursor: str | None) -> Body:
    return {"items": [run(item) for item in items], "next_cursor": next_cursor}


def run_event(event: RunEvent) -> Body:
    return {
        "seq": event.seq,
        "time": rfc3339(event.at),
        "type": event.type,
        "step": event.step,
        "data": run_events.shown(event.data),
    }


def happened(events: Iterable[RunEvent]) -> Body:
    return {"items": [run_event(event) for event in events]}


def _person(person: User | Named | None) -> Body | None:
    if person is None:
        return None
    return {"id": person.id, "email": person.email, "name": person.name}


def _revoker(revoker: Revoker | None) -> Body | None:
    return None if revoker is None else revoker._asdict()


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
