"""What an empty editor begins with, and what a run of a workflow could be given."""

from typing import Any

from compass.server.core.models import Connection, ConnectionKind

_DAY = "{{ input.day }}"
# For each format, something that has it.
_FORMATS = {
    "date": "2026-11-01",
    "date-time": "2026-11-01T09:30:00Z",
    "time": "09:30:00Z",
    "email": "ada@example.org",
    "uri": "https://example.org",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "ipv4": "192.0.2.1",
}
_DEEPEST = 8


def workflow(connections: list[Connection]) -> dict[str, Any]:
    """A document with the project's own connections, good to be saved as it is if there are any."""
    names = {each.kind: each.name for each in reversed(connections)}
    postgres, http = names.get(ConnectionKind.POSTGRES), names.get(ConnectionKind.HTTP)
    if not names:
        postgres, http = "warehouse", "chat"
    steps: list[dict[str, Any]] = []
    if postgres:
        steps.append(
            {
                "name": "orders",
                "connection": postgres,
                "sql": "select count(*) as n from orders where day = %(day)s",
                "params": {"day": _DAY},
            }
        )
    if http and postgres:
        text = "{{ steps.orders.rows[0].n }} orders on " + _DAY
        steps.append(
            {
                "name": "post",
                "connection": http,
                "method": "POST",
                "path": "/messages",
                "json": {"text": text},
            }
        )
    elif http:
        steps.append(
            {
                "name": "fetch",
                "connection": http,
                "method": "GET",
                "path": "/reports",
                "query": {"day": _DAY},
            }
        )
    output = {"count": "{{ steps.orders.rows[0].n }}"} if postgres else "{{ steps.fetch.json }}"
    return {
        "name": "nightly-report",
        "input_schema": {
            "type": "object",
            "required": ["day"],
            "properties": {"day": {"type": "string", "format": "date"}},
        },
        "steps": steps,
        "output": output,
    }


def of_input(schema: Any, depth: int = 0) -> Any:
    """Something of the schema's shape: what it requires, and what it says itself is an example."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {} if depth == 0 else None
    for name in ("default", "const"):
        if name in schema:
            return schema[name]
    for name in ("examples", "enum"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    kind = schema.get("type", "object" if "properties" in schema or depth == 0 else "string")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        return _object(schema, depth)
    if kind == "array":
        item = schema.get("items")
        return [of_input(item, depth + 1)] if isinstance(item, dict) else []
    if kind in {"integer", "number"}:
        least = schema.get("minimum", 1)
        return least if isinstance(least, int | float) else 1
    if kind == "string":
        return _FORMATS.get(str(schema.get("format")), "…")
    return True if kind == "boolean" else None


def _object(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    members, required = schema.get("properties", {}), schema.get("required", [])
    names = required if required else list(members)[:3]
    return {name: of_input(members.get(name), depth + 1) for name in names}
