"""Errors of the key door: `application/problem+json` (RFC 9457), one shape for all."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from flask import Response, current_app, json
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from compass.server.core.errors import Conflict, Forbidden, Invalid, NotFound
from compass.server.requests import request_id, said

CODES = {
    400: "malformed_json",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}

DETAILS = {
    400: "The body is not valid JSON.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The body is larger than 1 MiB.",
    415: "Send the body as application/json.",
    500: "Something went wrong on the server. The request id leads to it in the server's log.",
    503: "The database does not answer. Try again in a moment.",
}


class ProblemSchema(ma.Schema):
    """RFC 9457, with our `code`, `request_id` and, for 422, `errors`."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    code = ma.fields.String(required=True)
    request_id = ma.fields.String(required=True)
    errors = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        metadata={"description": "JSON Pointer → what is wrong there. With 422 alone."},
    )


class Problem(Exception):  # noqa: N818 (the RFC's name)
    """Raised anywhere behind the door; `answer` makes it the response."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None):
        super().__init__(detail)
        self.response = response(status, code, detail, headers=headers)


def response(
    status: int,
    code: str,
    detail: str,
    errors: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id(),
    }
    if errors is not None:
        body["errors"] = errors
    return current_app.response_class(
        json.dumps(body), status, headers, content_type="application/problem+json"
    )


def answer(error: Exception) -> Response:
    """The one place where an error becomes a response of this door."""
    match error:
        case Problem():
            return error.response
        case NotFound():
            return response(404, "not_found", str(error))
        case Forbidden():
            return response(403, "insufficient_role", str(error))
        case Conflict():
            return response(409, "conflict", str(error))
        case Invalid():
            return _invalid({f"/{name}": [text] for name, text in error.errors.items()})
        case HTTPException():
            return _from_http(error)
        case OperationalError():
            return response(503, "unavailable", DETAILS[503], headers={"Retry-After": "1"})
        case _:
            return response(500, "internal_error", DETAILS[500])


def _from_http(error: HTTPException) -> Response:
    status = error.code or 500
    messages = (getattr(error, "data", None) or {}).get("messages")
    if status == 422 and messages:
        return _invalid(dict(_pointers("", next(iter(messages.values())))))
    headers = {}
    if status == 405:
        headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or []))
    if status == 503:
        headers["Retry-After"] = "1"
    detail = said(error) or DETAILS.get(status) or error.description or HTTPStatus(status).phrase
    return response(status, CODES.get(status, "invalid_request"), detail, headers=headers)


def _invalid(errors: dict[str, list[str]]) -> Response:
    detail = " ".join(f"{pointer}: {texts[0]}" for pointer, texts in errors.items())
    return response(422, "validation_error", detail, errors=errors)


def _pointers(prefix: str, messages: Any) -> Iterator[tuple[str, list[str]]]:
    """marshmallow's nested messages as JSON Pointers (RFC 6901)."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            step = str(name).replace("~", "~0").replace("/", "~1")
            yield from _pointers(prefix if name == "_schema" else f"{prefix}/{step}", inner)
    else:
        yield prefix, [str(text) for text in messages]
