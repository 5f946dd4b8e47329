"""The calls of /v1 about keys, connections and workflows, each described once."""

from collections.abc import Mapping, Sequence
from typing import Any

from compass.sdk.drivers import D, Group, call, stream
from compass.sdk.exchange import Flow, Repeat, Request, Stream, get, nothing, path_of, send, shape
from compass.sdk.shapes import Connection, ConnectionKind, Key, Rotated, Workflow


class Keys(Group[D]):
    """The keys of the project. All but what a key does to itself needs an admin key."""

    @stream
    def list(self) -> Stream[Key]:
        """All keys of the project, newest first."""
        return self._pages("/v1/keys", Key)

    @call
    def get(self, key_id: str) -> Flow[Key]:
        """One key, by its id."""
        return self._ask(get(path_of("keys", key_id)), shape(Key))

    @call
    def revoke(self, key_id: str) -> Flow[Key]:
        """Stops a key for good, from the next request on. Revoking it again changes nothing."""
        return self._ask(Request("POST", path_of("keys", key_id, "revoke")), shape(Key))

    @call
    def revoke_self(self) -> Flow[Key]:
        """Stops the key of this client, for good."""
        request = Request("POST", path_of("keys", "self", "revoke"), repeat=Repeat.UNTAKEN)
        return self._ask(request, shape(Key))

    @call
    def rotate_self(self, overlap_hours: int = 24) -> Flow[Rotated]:
        """A new secret for the key of this client. The old one ends after `overlap_hours` (1 to
        168), and this client goes on with it: store the new one, and make a new client with it.

        Never tried again by itself: with an answer that was lost, its secret would be lost.
        """
        members = {"overlap_hours": overlap_hours}
        request = send("POST", path_of("keys", "self", "rotate"), members, Repeat.NEVER)
        return self._ask(request, shape(Rotated))


class Connections(Group[D]):
    """The connections of the project: read by every key, written by admin keys."""

    @stream
    def list(self) -> Stream[Connection]:
        """All connections of the project, newest first."""
        return self._pages("/v1/connections", Connection)

    @call
    def get(self, connection_id: str) -> Flow[Connection]:
        """One connection, by its id, without its credentials."""
        return self._ask(get(path_of("connections", connection_id)), shape(Connection))

    @call
    def create(
        self,
        name: str,
        kind: ConnectionKind,
        config: Mapping[str, Any],
        credentials: Mapping[str, Any],
    ) -> Flow[Connection]:
        """Stores a connection. Its credentials are sealed and never come back out."""
        members = {"name": name, "kind": kind, "config": config, "credentials": credentials}
        request = send("POST", path_of("connections"), members, Repeat.UNTAKEN)
        return self._ask(request, shape(Connection))

    @call
    def update(
        self,
        connection_id: str,
        *,
        name: str | None = None,
        kind: ConnectionKind | None = None,
        config: Mapping[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> Flow[Connection]:
        """Replaces what is given. A new address needs the credentials again."""
        members = {"name": name, "kind": kind, "config": config, "credentials": credentials}
        given = {member: value for member, value in members.items() if value is not None}
        request = send("PATCH", path_of("connections", connection_id), given)
        return self._ask(request, shape(Connection))

    @call
    def delete(self, connection_id: str) -> Flow[None]:
        """Deletes a connection that no workflow uses. Raises Conflict for one that is in use."""
        return self._ask(Request("DELETE", path_of("connections", connection_id)), nothing)

    @call
    def check(self, connection_id: str) -> Flow[Connection]:
        """Tries it for real. The outcome is in `check` of what is returned: `ok` and `message`."""
        request = Request("POST", path_of("connections", connection_id, "check"))
        return self._ask(request, shape(Connection))


class Workflows(Group[D]):
    """The workflows of the project: read by every key, written by admin keys."""

    @stream
    def list(self) -> Stream[Workflow]:
        """All workflows of the project, newest first."""
        return self._pages("/v1/workflows", Workflow)

    @call
    def get(self, workflow_id: str) -> Flow[Workflow]:
        """One workflow, by its id."""
        return self._ask(get(path_of("workflows", workflow_id)), shape(Workflow))

    @call
    def create(
        self,
        name: str,
        steps: Sequence[Mapping[str, Any]],
        *,
        input_schema: Mapping[str, Any] | None = None,
        output: Any = None,
    ) -> Flow[Workflow]:
        """Writes a workflow that every key of the project may run."""
        members = _document(name, steps, input_schema, output)
        request = send("POST", path_of("workflows"), members, Repeat.UNTAKEN)
        return self._ask(request, shape(Workflow))

    @call
    def replace(
        self,
        workflow_id: str,
        name: str,
        steps: Sequence[Mapping[str, Any]],
        *,
        input_schema: Mapping[str, Any] | None = None,
        output: Any = None,
    ) -> Flow[Workflow]:
        """Replaces the whole of it, its name too. Runs keep what they were asked to run."""
        members = _document(name, steps, input_schema, output)
        request = send("PUT", path_of("workflows", workflow_id), members)
        return self._ask(request, shape(Workflow))

    @call
    def delete(self, workflow_id: str) -> Flow[None]:
        """Deletes a workflow; its runs stay."""
        return self._ask(Request("DELETE", path_of("workflows", workflow_id)), nothing)


def _document(
    name: str,
    steps: Sequence[Mapping[str, Any]],
    input_schema: Mapping[str, Any] | None,
    output: Any,
) -> dict[str, Any]:
    members = {"name": name, "steps": steps, "input_schema": input_schema, "output": output}
    return {member: value for member, value in members.items() if value is not None}
