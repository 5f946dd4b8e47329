"""An http step against what is slow, endless, gone or at once."""

import gzip
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from tests.http_steps import Http
from tests.raw_target import OK, Line, Raw, answering, body, head
from tests.target import Target


def test_a_mebibyte_and_no_more(http: Http) -> None:
    assert len(http(query={"size": str(1 << 20)})["json"]) == (1 << 20) - 2
    failed = http.failure(query={"size": str((1 << 20) + 1)})
    assert failed.code == "too_large"
    assert "more than 1048576 bytes" in str(failed)


def test_what_never_ends_is_not_read_to_the_end(raw: Raw) -> None:
    def play(line: Line, _number: int) -> None:
        line.hear()
        line.say(head())
        while True:
            line.say(b"x" * 65536)

    http, _ = raw(play)
    assert http.failure().code == "too_large"


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("X-Gzip", gzip.compress)],
)
def test_what_is_packed_is_unpacked_and_no_more_than_a_mebibyte(
    raw: Raw, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    http, _ = raw(answering(body(pack(b"x" * (1 << 20)), f"Content-Encoding: {encoding}")))
    assert http()["text"] == "x" * (1 << 20)
    http, _ = raw(answering(body(pack(b"x" * (1 << 24)), f"Content-Encoding: {encoding}")))
    assert http.failure().code == "too_large"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip"])
def test_what_can_not_be_unpacked_is_said(raw: Raw, encoding: str) -> None:
    http, _ = raw(answering(body(b"nonsense", f"Content-Encoding: {encoding}")))
    assert http.failure().code == "bad_answer"


def drip(line: Line, said: bytes) -> None:
    while line.hear():
        for byte in said:
            line.say(bytes([byte]))
            threading.Event().wait(0.05)


@pytest.mark.parametrize(
    "said",
    [b"", head("X-Long: " + "x" * 1000), head("Content-Length: 1000") + b"x" * 1000,
     head("Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 1000,
     b"HTTP/1.1 100 Continue\r\n\r\n" * 50],
)  # fmt: skip
def test_the_deadline_is_the_whole_steps(raw: Raw, said: bytes) -> None:
    http, _ = raw(lambda line, _: drip(line, said))
    failed = http.failure(timeout=0.4)
    assert failed.code == "timeout"
    assert "within 0.4 seconds" in str(failed)


def test_so_it_is_for_one_who_does_not_listen(raw: Raw) -> None:
    done = threading.Event()

    def play(_line: Line, _number: int) -> None:
        done.wait()

    http, _ = raw(play)
    failed = http.failure("POST", "/x", "x" * 900_000, text="{{ input }}", timeout=0.3)
    done.set()
    assert failed.code == "timeout"


def test_what_is_not_there_or_no_http_is_unreachable(raw: Raw) -> None:
    nobody = Http("http://127.0.0.1:1")
    failed = nobody.failure()
    assert failed.code == "unreachable"
    assert str(failed) == "GET /v2/x: It can't be reached: Connection refused."
    for said in (b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"):
        http, _ = raw(answering(said))
        assert http.failure().code == "unreachable"
    http, _ = raw(lambda line, _: line.say(line.hear()[:0]))
    assert http.failure().code == "unreachable"
    http, _ = raw(lambda line, _: line.say(OK))
    http.config["base_url"] = http.config["base_url"].replace("http:", "https:")
    assert http.failure().code == "unreachable"


@pytest.mark.usefixtures("settings_alone")
def test_a_name_that_is_not_known_is_said() -> None:
    failed = Http("http://nowhere.invalid").failure()
    assert failed.code == "unreachable"
    assert "The name nowhere.invalid is not known" in str(failed)


@pytest.mark.usefixtures("settings_alone")
def test_each_address_of_a_name_is_tried(target: Target) -> None:
    http = Http(target.url.replace("127.0.0.1", "localhost"))
    assert http()["status"] == 200


def test_a_connection_is_kept(raw: Raw) -> None:
    http, target = raw(answering(OK))
    for _ in range(3):
        http()
    assert len(target.heard) == 1


def test_one_that_was_hung_up_meanwhile_is_not_used(raw: Raw) -> None:
    def play(line: Line, _number: int) -> None:
        line.hear()
        line.say(OK)

    http, target = raw(play)
    for method in ("GET", "POST", "GET"):
        assert http(method)["text"] == "ok"
    assert len(target.heard) == 3


def test_one_that_is_hung_up_at_that_moment_is_made_anew(raw: Raw) -> None:
    def play(line: Line, _number: int) -> None:
        line.hear()
        line.say(OK)
        # The second request is heard, and never answered.
        line.hear()

    http, target = raw(play)
    for _ in range(3):
        assert http()["text"] == "ok"
    assert [each.count(b"HTTP/1.1\r\n") for each in target.heard] == [2, 2, 1]


def test_what_may_not_be_asked_twice_never_goes_on_a_kept_one(raw: Raw) -> None:
    http, target = raw(answering(OK))
    for method in ("GET", "POST", "GET", "PATCH"):
        http(method)
    assert [each.count(b"HTTP/1.1\r\n") for each in target.heard] == [2, 1, 1]
    assert b"Connection: close" in target.heard[1]


def test_many_at_once_share_it_and_nothing_gets_mixed_up(
    settings_alone: Flask, target: Target
) -> None:
    def work(number: int) -> list[str]:
        http = Http(target.url)
        http.credentials = {"auth": "bearer", "token": f"token-of-{number}"}
        with settings_alone.app_context():
            return [http(path=f"/{number}/{turn}")["json"]["path"] for turn in range(20)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))
    assert answers == [[f"/v2/{number}/{turn}" for turn in range(20)] for number in range(8)]
    for call in target.calls:
        assert call.headers["authorization"] == f"Bearer token-of-{call.path.split('/')[2]}"
