"""The shapes of /v1. Every member is always there, null where there is none."""

from typing import Any

import marshmallow as ma

from compass.server.core.models import ConnectionKind, KeyStatus, KeyType, Role
from compass.server.core.rotation import LONGEST_OVERLAP_HOURS
from compass.server.core.run_models import EventType, RunStatus

_OVERLAP = f"Give a whole number of hours from 1 to {LONGEST_OVERLAP_HOURS}."


class Instant(ma.fields.DateTime):
    """RFC 3339 in UTC with `Z`."""


class WholeNumber(ma.fields.Integer):
    """An integer as JSON Schema has it (draft 2020-12, section 6.1.1): 24 and 24.0, not "24"."""

    def __init__(self, **more: Any):
        super().__init__(strict=True, **more)

    def _validated(self, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return super()._validated(value)


class Digits(ma.fields.Integer):
    """An integer in a query: digits alone, where Python also reads 1_0 and other scripts'."""

    def _validated(self, value: Any) -> int:
        if not (str(value).isascii() and str(value).isdigit()):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class PersonSchema(ma.Schema):
    id = ma.fields.String(required=True)
    email = ma.fields.String(required=True)
    name = ma.fields.String(required=True)


class RevokerSchema(ma.Schema):
    type = ma.fields.String(required=True, validate=ma.validate.OneOf(["user", "key", "operator"]))
    id = ma.fields.String(required=True, allow_none=True)
    email = ma.fields.String(required=True, allow_none=True)
    name = ma.fields.String(required=True)


class ProjectSchema(ma.Schema):
    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)


class KeySchema(ma.Schema):
    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    type = ma.fields.Enum(KeyType, by_value=True, required=True)
    role = ma.fields.Enum(Role, by_value=True, required=True)
    status = ma.fields.Enum(KeyStatus, by_value=True, required=True)
    hint = ma.fields.String(required=True)
    owner = ma.fields.Nested(PersonSchema, required=True, allow_none=True)
    created_by = ma.fields.Nested(PersonSchema, attribute="creator", required=True, allow_none=True)
    created_at = Instant(required=True)
    expires_at = Instant(required=True, allow_none=True)
    last_used_at = Instant(required=True, allow_none=True)
    revoked_at = Instant(required=True, allow_none=True)
    revoked_by = ma.fields.Nested(RevokerSchema, required=True, allow_none=True)


class RotationArguments(ma.Schema):
    overlap_hours = WholeNumber(
        load_default=24,
        validate=ma.validate.Range(1, LONGEST_OVERLAP_HOURS, error=_OVERLAP),
        error_messages={"invalid": _OVERLAP, "null": _OVERLAP},
        metadata={"description": "How long the secret that makes this call goes on working."},
    )


class RotatedSchema(ma.Schema):
    secret = ma.fields.String(
        required=True, metadata={"description": "The new one. It can't be had again."}
    )
    key = ma.fields.Nested(KeySchema, required=True)
    previous_ends_at = Instant(
        required=True, metadata={"description": "When the secret that made this call stops."}
    )


class KeyListSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(KeySchema), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


class MeSchema(ma.Schema):
    key = ma.fields.Nested(KeySchema, required=True)
    role = ma.fields.Enum(
        Role, by_value=True, required=True, metadata={"description": "What the key may do now."}
    )
    project = ma.fields.Nested(ProjectSchema, required=True)
    user = ma.fields.Nested(
        PersonSchema,
        required=True,
        allow_none=True,
        metadata={"description": "A personal token's owner."},
    )


class PageArguments(ma.Schema):
    """Unknown query parameters are ignored."""

    class Meta:
        unknown = ma.EXCLUDE

    limit = Digits(
        load_default=50,
        validate=ma.validate.Range(1, 200, error="Ask for 1 to 200."),
        error_messages={"invalid": "Ask for 1 to 200."},
    )


def _cursor(prefix: str) -> ma.fields.String:
    shape = ma.validate.Regexp(
        rf"^{prefix}_[0-9a-v]{{23}}$", error="Give the next_cursor of an earlier page."
    )
    return ma.fields.String(load_default=None, validate=shape)


class KeyPageArguments(PageArguments):
    cursor = _cursor("key")


class ConnectionPageArguments(PageArguments):
    cursor = _cursor("con")


class WorkflowPageArguments(PageArguments):
    cursor = _cursor("wfl")


class RunPageArguments(PageArguments):
    cursor = _cursor("run")
    status = ma.fields.Enum(RunStatus, by_value=True, load_default=None)
    workflow = ma.fields.String(
        load_default=None, metadata={"description": "An id or a name, also of one that is gone."}
    )


class EventPageArguments(PageArguments):
    after = Digits(
        load_default=0,
        validate=ma.validate.Range(0, 1 << 31, error="Give the seq of an event."),
        error_messages={"invalid": "Give the seq of an event."},
        metadata={"description": "The seq of the last event that is known already."},
    )


class RunArguments(ma.Schema):
    workflow = ma.fields.String(required=True, metadata={"description": "Its id or its name."})
    input = ma.fields.Dict(
        load_default=dict, metadata={"description": "As the workflow's input_schema has it."}
    )


class RanWorkflowSchema(ma.Schema):
    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)


class RunErrorSchema(ma.Schema):
    code = ma.fields.String(required=True)
    step = ma.fields.String(required=True, allow_none=True)
    message = ma.fields.String(required=True)


class StarterSchema(ma.Schema):
    type = ma.fields.String(required=True, validate=ma.validate.OneOf(["key", "user"]))
    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)


class RunSchema(ma.Schema):
    id = ma.fields.String(required=True)
    workflow = ma.fields.Nested(RanWorkflowSchema, required=True)
    input = ma.fields.Dict(required=True)
    status = ma.fields.Enum(RunStatus, by_value=True, required=True)
    output = ma.fields.Raw(required=True, allow_none=True)
    error = ma.fields.Nested(RunErrorSchema, required=True, allow_none=True)
    attempt = ma.fields.Integer(required=True)
    started_by = ma.fields.Nested(StarterSchema, required=True)
    created_at = Instant(required=True)
    started_at = Instant(required=True, allow_none=True)
    finished_at = Instant(required=True, allow_none=True)


class RunListSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(RunSchema), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


class RunEventSchema(ma.Schema):
    seq = ma.fields.Integer(required=True)
    time = Instant(required=True)
    type = ma.fields.Enum(EventType, by_value=True, required=True)
    step = ma.fields.String(required=True, allow_none=True)
    data = ma.fields.Dict(required=True, allow_none=True)


class RunEventListSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(RunEventSchema), required=True)


class WorkflowSchema(ma.Schema):
    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    input_schema = ma.fields.Dict(required=True, allow_none=True)
    steps = ma.fields.List(ma.fields.Dict(), required=True)
    output = ma.fields.Raw(required=True, allow_none=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class WorkflowListSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(WorkflowSchema), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


class WorkflowArguments(ma.Schema):
    """The whole document. What each step may hold: docs/workflows.md."""

    name = ma.fields.String(required=True)
    input_schema = ma.fields.Dict(allow_none=True)
    steps = ma.fields.List(ma.fields.Dict(), required=True)
    output = ma.fields.Raw(allow_none=True)


class CheckSchema(ma.Schema):
    at = Instant(required=True)
    ok = ma.fields.Boolean(required=True)
    message = ma.fields.String(required=True)


class ConnectionSchema(ma.Schema):
    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    kind = ma.fields.Enum(ConnectionKind, by_value=True, required=True)
    config = ma.fields.Dict(required=True)
    has_credentials = ma.fields.Boolean(required=True)
    check = ma.fields.Nested(CheckSchema, required=True, allow_none=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class ConnectionListSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ConnectionSchema), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


_KIND = ma.validate.OneOf(list(ConnectionKind))
_CONFIG = "http: base_url and headers; postgres: host, port, database, user and sslmode."
_CREDENTIALS = (
    "http: auth (none, bearer, basic or header) with token; username and password; or name and "
    "value. postgres: password. Never shown again."
)


class ConnectionArguments(ma.Schema):
    name = ma.fields.String(required=True)
    kind = ma.fields.String(required=True, validate=_KIND)
    config = ma.fields.Dict(required=True, metadata={"description": _CONFIG})
    credentials = ma.fields.Dict(required=True, metadata={"description": _CREDENTIALS})


class ConnectionChangeArguments(ma.Schema):
    """What is left out stays as it is. A new address needs the credentials again."""

    name = ma.fields.String()
    kind = ma.fields.String(validate=_KIND)
    config = ma.fields.Dict(metadata={"description": _CONFIG})
    credentials = ma.fields.Dict(metadata={"description": _CREDENTIALS})
