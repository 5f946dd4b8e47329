"""A server on loopback that says exactly what it is told to, byte by byte."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread

from tests.http_steps import Http

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class RawTarget:
    """`heard` is what each connection that was made to it said, as far as it was read."""

    url: str
    heard: list[bytes] = field(default_factory=list)


class Line:
    """One connection, from the server's side."""

    def __init__(self, connected: socket.socket, target: RawTarget, number: int):
        self._socket = connected
        self._target = target
        self._number = number

    def hear(self) -> bytes:
        """A request without a body; nothing where there is none any more."""
        said = b""
        while b"\r\n\r\n" not in said and (more := self._socket.recv(65536)):
            said += more
        self._target.heard[self._number] += said
        return said

    def say(self, said: bytes) -> None:
        self._socket.sendall(said)


Play = Callable[[Line, int], None]
Raw = Callable[[Play], tuple[Http, RawTarget]]


@contextmanager
def a_raw_target(play: Play) -> Iterator[RawTarget]:
    """`play` is given each connection and its number; when it returns, that is hung up."""

    def serve(connected: socket.socket, number: int) -> None:
        with connected, suppress(OSError):
            play(Line(connected, target, number), number)

    def let_in() -> None:
        with suppress(OSError):
            while True:
                connected, _ = door.accept()
                target.heard.append(b"")
                number = len(target.heard) - 1
                Thread(target=serve, args=(connected, number), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        target = RawTarget(f"http://127.0.0.1:{door.getsockname()[1]}")
        waiting = Thread(target=let_in, daemon=True)
        waiting.start()
        yield target
        door.shutdown(socket.SHUT_RDWR)
        waiting.join()


def answering(*said: bytes) -> Play:
    """The same to every request."""

    def play(line: Line, _number: int) -> None:
        while line.hear():
            for each in said:
                line.say(each)

    return play


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "".join(f"{each}\r\n" for each in (f"HTTP/1.1 {status}", *headers, "")).encode("latin-1")


def body(said: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return head(*headers, f"Content-Length: {len(said)}", status=status) + said
