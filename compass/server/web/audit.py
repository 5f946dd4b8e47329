"""Settings → Organization → Audit log: what was done, filtered, and to take away."""

import logging
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Response, redirect, stream_with_context, url_for
from flask_login import current_user
from htmx_flask import request
from markupsafe import Markup, escape
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Response as AnyResponse

from compass.server.core import audit_export, audit_log, audit_words, sessions, tokens
from compass.server.core.audit_filter import Filter
from compass.server.core.clock import now
from compass.server.core.errors import Forbidden, Refusal
from compass.server.core.ids import is_id
from compass.server.core.models import AuditEvent
from compass.server.db import db
from compass.server.web.door import announce, is_signed_in, me, render, web

PATH = "/settings/organization/audit"

_FIELDS = ("actor", "action", "project", "key", "since", "until")
# As long as an email address can be.
_LONGEST = 254
_ACTION = re.compile(r"[a-z_]{1,30}\.[a-z_]{1,29}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HINT = re.compile(r"compass_(?:sa|pat)_[0-9A-Za-z]{4}…[0-9A-Za-z]{4}")

_exporting = threading.Lock()

log = logging.getLogger("compass.server")


@web.get(PATH)
def list_events() -> AnyResponse:
    # Somebody looking for a key by pasting it: it must not stay in the address.
    if any(tokens.PATTERN.search(request.args.get(name, "")) for name in _FIELDS):
        return redirect(url_for("web.list_events", **_asked()))
    asked = _asked()
    before, after = (_cursor(request.args.get(name, "")) for name in ("before", "after"))
    found = audit_log.page(me(), _filter(asked), before, after)
    response = render(
        "audit/_events.html",
        "audit/index.html",
        found=found,
        asked=asked,
        projects={each.id: each.name for each in audit_log.visible_projects(me())},
        people=lambda: audit_log.people(me()),
        actions=audit_words.grouped(),
        label=audit_words.label,
        links=audit_log.keys_to_link(me(), found.events),
        emails=audit_log.emails(found.events),
        address=_address,
    )
    count = len(found.events)
    return announce(response, f"{count} event{'' if count == 1 else 's'}.", shown=False)


@web.get(f"{PATH}/export.csv")
def export_csv() -> Response:
    return _export("csv", "text/csv", audit_export.as_csv, audit_export.csv_error)


@web.get(f"{PATH}/export.jsonl")
def export_json_lines() -> Response:
    write, tell = audit_export.as_json_lines, audit_export.json_error
    return _export("jsonl", "application/jsonl", write, tell)


class Turn:
    """One export at a time in each process: a slow reader holds a thread, and there are few.

    Ends by `end`, and at the latest with the object: an answer may be dropped before it begins.
    Raises ServiceUnavailable.
    """

    def __init__(self) -> None:
        if not _exporting.acquire(blocking=False):
            raise ServiceUnavailable(
                "Another export is under way. Try again when it is done.", retry_after=10
            )
        self.end = weakref.finalize(self, _exporting.release)


def _export(
    ending: str,
    kind: str,
    write: Callable[[Iterable[list[AuditEvent]]], Iterator[str]],
    tell: Callable[[str], str],
) -> Response:
    audit_log.scope(me())
    batches = _while_signed_in(audit_log.stream(me(), _filter(_asked())))
    lines = _within(Turn(), write(batches), tell)
    response = Response(stream_with_context(lines), content_type=f"{kind}; charset=utf-8")
    name = f"compass-audit-{now():%Y-%m-%d}.{ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _while_signed_in(batches: Iterator[list[AuditEvent]]) -> Iterator[list[AuditEvent]]:
    """A session that is ended takes its exports with it."""
    session_id = current_user.session_id
    for events in batches:
        if sessions.find(session_id) is None:
            raise Forbidden("Your session has ended.")
        db.session.rollback()
        yield events


def _within(turn: Turn, lines: Iterator[str], tell: Callable[[str], str]) -> Iterator[str]:
    """Once begun, an answer can't become an error: what breaks it off is its last line."""
    try:
        yield from lines
    except (Refusal, SQLAlchemyError) as error:
        db.session.rollback()
        why = str(error) if isinstance(error, Refusal) else "The database does not answer."
        log.warning("An export of the audit log was broken off: %s", why)
        yield tell(f"{why} This file is not whole.")
    finally:
        turn.end()


@web.app_template_filter("happened")
def _happened(event: AuditEvent, with_noun: bool = True) -> Markup:
    text = str(escape(audit_words.sentence(event, with_noun)))
    # What was escaped stays so: a hint has nothing to escape in it.
    return Markup(_HINT.sub(r'<span class="mono">\g<0></span>', text))  # noqa: S704


@web.app_context_processor
def _for_navigation() -> dict[str, Any]:
    return {"may_see_audit": lambda: is_signed_in() and audit_log.may_open(me())}


def _asked() -> dict[str, Any]:
    """What of the address is a filter; nonsense there is as good as nothing."""
    given = {name: _clean(request.args.get(name, "")) for name in _FIELDS}
    meant = {
        "action": _ACTION.fullmatch(given["action"]),
        "project": is_id(given["project"], "prj"),
        "since": _day(given["since"]),
        "until": _day(given["until"]),
    }
    return {name: text for name, text in given.items() if text and meant.get(name, True)}


def _clean(text: str) -> str:
    return tokens.mask(text).replace("\0", "").strip()[:_LONGEST]


def _filter(asked: dict[str, Any]) -> Filter:
    until = _day(asked.get("until", ""))
    return Filter(
        actor=asked.get("actor", ""),
        action=asked.get("action", ""),
        project_id=asked.get("project", ""),
        key=asked.get("key", ""),
        since=_day(asked.get("since", "")),
        # With the day itself.
        until=until + timedelta(days=1) if until else None,
    )


def _day(text: str) -> datetime | None:
    """The first moment of that day, in UTC."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
    return datetime.combine(day, time.min, UTC) if day and day < date.max else None


def _cursor(text: str) -> str:
    return text if is_id(text, "evt") else ""


def _address(asked: dict[str, Any], endpoint: str = "web.list_events", **more: str) -> str:
    """Of the page, or of an export, with these filters."""
    return url_for(endpoint, **(asked | more))
