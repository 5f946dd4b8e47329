"""The shapes of /v1. Every member is always there, null where there is none."""

from typing import Any

import marshmallow as ma

from compass.server.core.models import KeyStatus, KeyType, Role
from compass.server.core.rotation import LONGEST_OVERLAP_HOURS

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


class KeyPageArguments(ma.Schema):
    """Unknown query parameters are ignored."""

    class Meta:
        unknown = ma.EXCLUDE

    limit = Digits(
        load_default=50,
        validate=ma.validate.Range(1, 200, error="Ask for 1 to 200."),
        error_messages={"invalid": "Ask for 1 to 200."},
    )
    cursor = ma.fields.String(
        load_default=None,
        validate=ma.validate.Regexp(
            r"^key_[0-9a-v]{23}$", error="Give the next_cursor of an earlier page."
        ),
    )
