"""An http step against a real server that misbehaves on request."""

import gzip
import json
import posixpath
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import httpx
import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import URL

from compass.server.core import http_pool, steps
from compass.server.core.models import ConnectionKind
from compass.server.core.steps import Prepared, StepError
from tests.conftest import make_settings
from tests.raw_target import OK, Line, RawTarget, a_raw_target
from tests.target import Target, a_target

TOKEN = "not-for-reading-42"
BEARER = {"auth": "bearer", "token": TOKEN}


class Http:
    """Steps against a connection whose base is `/v2` of the target."""

    def __init__(self, url: str):
        self.config: dict[str, Any] = {"base_url": f"{url}/v2", "headers": {"X-From": "config"}}
        self.credentials: dict[str, str] = BEARER

    def prepare(
        self, method: str = "GET", path: str = "/x", input_: Any = None, **step: Any
    ) -> Prepared:
        return steps.prepare(
            {"name": "s", "connection": "c", "method": method, "path": path, **step},
            ConnectionKind.HTTP,
            self.config,
            self.credentials,
            {"input": input_, "steps": {}},
        )

    def __call__(
        self, method: str = "GET", path: str = "/x", input_: Any = None, **step: Any
    ) -> Any:
        return self.prepare(method, path, input_, **step).perform("run_1/s")

    def failure(self, *args: Any, **step: Any) -> StepError:
        with pytest.raises(StepError) as failed:
            self(*args, **step)
        return failed.value


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """No more of it than a step asks for."""
    app = Flask("steps")
    app.config["COMPASS"] = make_settings(tmp_path, URL.create("sqlite"))
    return app


@pytest.fixture(autouse=True)
def _in_app(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield
    http_pool.close()


@pytest.fixture
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


@pytest.fixture
def http(target: Target) -> Http:
    return Http(target.url)


Raw = Callable[[Callable[[Line, int], None]], tuple[Http, RawTarget]]


@pytest.fixture
def raw() -> Iterator[Raw]:
    """Makes a server that plays what it is given, and steps against it."""
    with ExitStack() as open_:

        def make(play: Callable[[Line, int], None]) -> tuple[Http, RawTarget]:
            target = open_.enter_context(a_raw_target(play))
            return Http(target.url), target

        yield make


def answering(*said: bytes) -> Callable[[Line, int], None]:
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


# What is asked.


def test_what_is_asked_and_what_comes_back(http: Http, target: Target) -> None:
    result = http(
        "POST",
        "/people/{{ input.name }}",
        {"name": "Zoë/1", "tags": ["a b", 2, True, None], "n": 3},
        query={"tag": "{{ input.tags }}", "n": "{{ input.n }}", "none": "{{ input.x }}", "t": "=&"},
        headers={"X-N": "{{ input.n }}", "X-None": "{{ input.x }}", "X-From": "step é"},
        json={"all": "{{ input.tags }}", "text": "n = {{ input.n }}"},
    )
    call = target.calls[0]
    path = "/v2/people/Zo%C3%AB%2F1?tag=a%20b&tag=2&tag=true&n=3&t=%3D%26"
    assert (call.method, call.path) == ("POST", path)
    assert json.loads(call.body) == {"all": ["a b", 2, True, None], "text": "n = 3"}
    sent = call.headers
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert sent["idempotency-key"] == "run_1/s"
    assert sent["content-type"] == "application/json"
    assert sent["x-n"] == "3"
    assert sent["x-from"] == "step é"
    assert "x-none" not in sent
    assert "cookie" not in sent
    assert result["status"] == 200
    assert result["headers"]["content-type"] == "application/json"
    assert result["json"] == {"method": "POST", "path": path}


def test_what_was_asked_is_on_record_without_credentials(http: Http, target: Target) -> None:
    prepared = http.prepare("PUT", "/a", {"b": 1}, text="b is {{ input.b }}", headers={"X": "y"})
    assert prepared.asked["method"] == "PUT"
    assert prepared.asked["url"] == f"{target.url}/v2/a"
    assert prepared.asked["text"] == "b is 1"
    assert prepared.asked["headers"]["authorization"] == "•••"
    assert prepared.asked["headers"]["x"] == "y"
    assert TOKEN not in repr(prepared)
    assert json.loads(json.dumps(prepared.asked)) == prepared.asked


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        ({"auth": "none"}, "authorization", None),
        ({"auth": "basic", "username": "ada", "password": "pw"}, "authorization", "Basic YWRhOnB3"),
        ({"auth": "header", "name": "X-Api-Key", "value": "k"}, "x-api-key", "k"),
    ],
)
def test_each_kind_of_credentials_and_no_step_in_their_place(
    http: Http, target: Target, credentials: dict[str, str], header: str, value: str | None
) -> None:
    http.credentials = credentials
    http(headers={"x-api-key": "of the step"} if header == "x-api-key" else {})
    assert target.calls[0].headers.get(header) == value


def test_a_text_is_sent_as_it_is(http: Http, target: Target) -> None:
    http("POST", text="<ä>", headers={"Content-Type": "application/xml"})
    http("POST", text="{{ input }}")
    http("DELETE")
    assert [call.body.decode() for call in target.calls] == ["<ä>", "null", ""]
    types = [call.headers.get("content-type") for call in target.calls]
    assert types == ["application/xml", "text/plain; charset=utf-8", None]


ESCAPES = [
    "..", "../admin", "/../admin", "a/../../b", "./x", "//evil.example", "/evil", "a//b", "..;/x",
    "%2e%2e", "%2e%2e%2fadmin", ".%2e/x", "%252e%252e", "%25252e%25252e/", "..%00", "a%00b",
    "@evil.example", "@evil.example/x", "\\evil", "..\\x", "%5c..%5c", "http://evil.example/",
    "https:%2f%2fevil.example", "a\r\nHost: evil", "a\nb", "a%0d%0ab", "\0", "a?b=c", "a%3fb",
    "a#b", ".. ", "... ", "..%20", "%u002e/..", "", None, [], {"a": 1}, "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("value", ESCAPES)
def test_what_would_leave_the_path_is_refused_before_anything_is_sent(
    http: Http, target: Target, value: Any
) -> None:
    failed = http.failure("GET", "/items/{{ input.v }}", {"v": value})
    assert failed.code == "invalid_request"
    assert target.calls == []


def test_nor_can_pieces_be_put_together_to_leave_it(http: Http, target: Target) -> None:
    for path, value in [("/a/.{{ input }}/b", "."), ("/a/%2{{ input }}/b", "e%2e"),
                        ("/a/{{ input }}{{ input }}/b", "."), ("/{{ input }}2e%2e/b", "%"),
                        ("{{ input }}", "@evil.example"), ("/a{{ input }}/b", "/..")]:  # fmt: skip
        assert http.failure("GET", path, value).code == "invalid_request", path
    assert target.calls == []


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("ada@example.org", "ada%40example.org"),
        ("a b", "a%20b"),
        ("50%", "50%25"),
        ("a/b", "a%2Fb"),
        ("ä:;,+&=$!*'()", "%C3%A4%3A%3B%2C%2B%26%3D%24%21%2A%27%28%29"),
        ("...a", "...a"),
        ("1.5.", "1.5."),
        (7, "7"),
        (True, "true"),
        ("{{ input.secret }}", "%7B%7B%20input.secret%20%7D%7D"),
    ],
)
def test_what_stays_in_the_path_is_encoded(
    http: Http, target: Target, value: Any, path: str
) -> None:
    http("GET", "/items/{{ input.v }}/x", {"v": value})
    assert target.calls[0].path == f"/v2/items/{path}/x"


pieces = st.sampled_from(
    ["..", ".", "/", "\\", "%2e", "%2f", "%252e", "%5c", "@", ":", "//", ";", " ", "?", "#", "\r\n",
     "\0", "http:", "evil.example", "a", "%", "\uff052e", "\uff0e"]
)  # fmt: skip


@given(st.text() | st.lists(pieces, max_size=8).map("".join))
@example("..;")
def test_whatever_is_put_in_the_request_stays_under_the_base(value: str) -> None:
    try:
        asked = (
            Http("http://api.example:8080")
            .prepare("GET", "/items/{{ input }}/{{ input }}", value, query={"q": "{{ input }}"})
            .asked
        )
    except StepError as error:
        assert error.code == "invalid_request"
        return
    url = asked["url"]
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert urlsplit(url).netloc == httpx.URL(url).netloc.decode() == "api.example:8080"
    assert dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) == {"q": value}
    path = urlsplit(url).path
    for _ in range(6):
        assert posixpath.normpath(path.replace("\\", "/")).startswith("/v2/items/")
        path = unquote(path)


@pytest.mark.parametrize(
    "value", ["a\r\nX-Evil: 1", "a\nb", "\0", "a\x7fb", "a\x85b", "snow ☃", "x" * 9000]
)
def test_a_header_holds_one_line(http: Http, target: Target, value: str) -> None:
    failed = http.failure("GET", "/x", value, headers={"X-Note": "{{ input }}"})
    assert failed.code == "invalid_request"
    assert "x-note" in str(failed)
    assert target.calls == []


@pytest.mark.parametrize(
    "name", ["Authorization", "cookie", "Host", "Idempotency-Key", "Connection"]
)
def test_some_headers_are_not_a_steps_to_set(http: Http, name: str) -> None:
    assert http.failure(headers={name: "x"}).code == "invalid_request"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"json": "{{ nonsense(input) }}"}, "expression_error"),
        ({"json": "{{ input[*].[@,@]" + " | [*][*].[@,@]" * 40 + " }}"}, "expression_error"),
        ({"json": "{{ to_number('1e999') }}"}, "invalid_request"),
        ({"json": "\ud800"}, "invalid_request"),
        ({"text": "\ud800"}, "invalid_request"),
        ({"query": {"q": "\ud800"}}, "invalid_request"),
        ({"query": {"q": "{{ {a: input} }}"}}, "invalid_request"),
        ({"query": {"q": "{{ [input] }}"}}, "invalid_request"),
        ({"query": {"q": "x" * 9000}}, "invalid_request"),
    ],
)
def test_what_can_not_be_asked_is_not(
    http: Http, target: Target, step: dict[str, Any], code: str
) -> None:
    assert http.failure("POST", "/x", list(range(100)), **step).code == code
    assert target.calls == []


def test_a_very_large_number_is_sent_as_it_is(http: Http, target: Target) -> None:
    http("POST", "/x", 1 << 70, json="{{ input }}")
    assert target.calls[0].body == str(1 << 70).encode()
    assert http.failure("POST", "/x", 1 << 70, text="n: {{ input }}").code == "expression_error"


# What comes back.


@pytest.mark.parametrize(
    ("said", "value"),
    [
        (b'{"a": [1, null, "\xc3\xa4"]}', {"a": [1, None, "ä"]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b"9223372036854775807", 2**63 - 1),
        (b"[9223372036854775808, -9223372036854775809]",
         ["9223372036854775808", "-9223372036854775809"]),
        (b"1" * 5000, "1" * 5000),
        (b"[1e999, -1e999, 1e308]", ["1e999", "-1e999", 1e308]),
        (b"[" * 100 + b"]" * 100, json.loads("[" * 100 + "]" * 100)),
        (b'"{{ input }}"', "{{ input }}"),
    ],
)  # fmt: skip
def test_json_as_it_was(raw: Raw, said: bytes, value: Any) -> None:
    http, _ = raw(answering(body(said, "Content-Type: application/problem+json; charset=x")))
    result = http()
    assert result["json"] == value
    assert "text" not in result


@pytest.mark.parametrize(
    "said",
    [b"", b"{", b"NaN", b"[Infinity]", b"{'a': 1}", b'"\\ud800"', b"[1,]", b"[" * 101 + b"]" * 101,
     b"[" * 100_000 + b"]" * 100_000],
)  # fmt: skip
def test_what_is_no_json_is_text(raw: Raw, said: bytes) -> None:
    http, _ = raw(answering(body(said, "Content-Type: application/json")))
    result = http()
    assert result["text"] == said.decode()
    assert "json" not in result


@pytest.mark.parametrize(
    ("kind", "said", "text"),
    [
        ("text/plain", "ä".encode(), "ä"),
        ("text/plain; charset=iso-8859-1", b"\xe4", "ä"),
        ("text/plain", b"\xff\0", "\ufffd\0"),
        ("text/plain; charset=utf-16", "ä".encode("utf-16"), "ä"),
        ("text/plain; charset=no-such", b"a", "a"),
        ("text/plain; charset=punycode", b"a-" * 10, "a-" * 10),
        ("text/plain; charset=base64", b"YQ==", "YQ=="),
        ("text/plain; charset=utf-7", b"+2AA-", "+2AA-"),
        ("nonsense", b"a", "a"),
        ("application/jsonp", b"{}", "{}"),
    ],
)
def test_text_as_it_was(raw: Raw, kind: str, said: bytes, text: str) -> None:
    http, _ = raw(answering(body(said, f"Content-Type: {kind}")))
    assert http()["text"] == text


def test_headers_come_back_by_lower_case_name_without_cookies(raw: Raw) -> None:
    said = body(b"", "X-A: 1", "x-a: 2", "Set-Cookie: sid=1", "X-B: \xe4")
    http, target = raw(answering(said))
    assert http()["headers"] == {"x-a": "1, 2", "x-b": "ä", "content-length": "0"}
    http()
    assert b"cookie" not in target.heard[0].lower()


def test_chunks_and_answers_that_end_with_the_connection(raw: Raw) -> None:
    chunked = head("Transfer-Encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    http, _ = raw(answering(chunked))
    assert http()["text"] == "abcde"

    def play(line: Line, _number: int) -> None:
        line.hear()
        line.say(head() + b"to the end")

    http, _ = raw(play)
    assert http()["text"] == "to the end"


def test_a_head_and_a_204_have_no_body(http: Http, raw: Raw) -> None:
    assert http("HEAD")["text"] == ""
    assert http("HEAD", query={"size": "5"})["headers"]["content-length"] == "5"
    raw_http, _ = raw(answering(head(status="204 No Content")))
    assert raw_http()["text"] == ""


def test_a_body_after_head_is_not_the_next_answer(raw: Raw) -> None:
    http, target = raw(answering(body(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")))
    assert http("HEAD")["text"] == ""
    assert http("GET")["text"] != "evil"
    assert len(target.heard) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 418, 429, 500, 503])
def test_an_error_fails_the_step_with_what_came_back(http: Http, status: int) -> None:
    failed = http.failure("DELETE", "/x", query={"status": str(status)})
    assert failed.code == "http_status"
    assert str(failed).startswith(f"DELETE /v2/x was answered with HTTP {status}. ")
    assert failed.answered["status"] == status
    assert failed.answered["json"]["method"] == "DELETE"
    assert failed.asked["method"] == "DELETE"


# Bounds.


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


def test_a_name_that_is_not_known_is_said() -> None:
    failed = Http("http://nowhere.invalid").failure()
    assert failed.code == "unreachable"
    assert "The name nowhere.invalid is not known" in str(failed)


def test_each_address_of_a_name_is_tried(target: Target) -> None:
    http = Http(target.url.replace("127.0.0.1", "localhost"))
    assert http()["status"] == 200


# Redirects.


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"), (301, "POST", "GET"), (301, "PUT", "PUT"), (302, "POST", "GET"),
        (302, "HEAD", "HEAD"), (303, "PUT", "GET"), (307, "POST", "POST"), (308, "PATCH", "PATCH"),
    ],
)  # fmt: skip
def test_within_the_origin_it_is_followed(
    http: Http, target: Target, status: int, method: str, then: str
) -> None:
    # As the bytes of a header are read.
    to = f"{target.url}/else%20where/ä?a=b c".encode().decode("latin-1")
    text = {} if method in {"GET", "HEAD"} else {"text": "hello"}
    assert http(method, query={"status": str(status), "location": to}, **text)["status"] == 200
    call = target.calls[1]
    assert (call.method, call.path) == (then, "/else%20where/%C3%A4?a=b%20c")
    assert call.body == (b"hello" if then == method and text else b"")
    assert ("content-type" in call.headers) == bool(call.body)
    assert call.headers["authorization"] == f"Bearer {TOKEN}"
    assert call.headers["idempotency-key"] == "run_1/s"


@pytest.mark.parametrize(
    "location",
    ["http://evil.example/", "//evil.example/x", "https://127.0.0.1/", "http://127.0.0.1:1/",
     "http://localhost/", "file:///etc/passwd", "http://169.254.169.254/latest", "http://[",
     "http://127.0.0.1\\@evil.example/", "javascript:1", "http://127.0.0.1:99999/"],
)  # fmt: skip
def test_out_of_the_origin_it_is_not(http: Http, target: Target, location: str) -> None:
    failed = http.failure(query={"status": "302", "location": location})
    assert failed.code == "redirect_refused"
    assert "another origin" in str(failed)
    assert failed.answered["status"] == 302
    assert len(target.calls) == 1


@pytest.mark.parametrize(
    "location", ["\\\\evil.example\\x", "/\\evil.example", "?x", "", "#f", "..//evil"]
)
def test_a_strange_one_leads_nowhere_else(http: Http, target: Target, location: str) -> None:
    target.sends_on_to = location or " "
    http.failure(timeout=5)
    assert all(call.headers["host"] == target.url.removeprefix("http://") for call in target.calls)


def test_round_and_round_it_is_not(http: Http, target: Target) -> None:
    target.sends_on_to = "/round"
    failed = http.failure()
    assert failed.code == "redirect_refused"
    assert "more than 5 times" in str(failed)
    assert len(target.calls) == 6


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254", "http://[fe80::1]", "http://[::ffff:169.254.169.254]",
     "http://0xa9fea9fe", "http://2852039166", "http://[64:ff9b::a9fe:a9fe]", "http://100.100.100.200"],
)  # fmt: skip
def test_metadata_addresses_are_not_gone_to(address: str) -> None:
    failed = Http(address).failure()
    assert failed.code == "refused_address"
    assert "link-local" in str(failed)


# Kept connections.


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


def test_one_that_is_hung_up_at_that_moment_is_made_anew_for_what_may_be_asked_twice(
    raw: Raw,
) -> None:
    def play(line: Line, number: int) -> None:
        line.hear()
        line.say(OK)
        if number == 1:
            line.hear()
            line.say(OK)
        line.hear()

    http, target = raw(play)
    http()
    # The first connection hears this, and hangs up without a word.
    assert http()["text"] == "ok"
    assert len(target.heard) == 2
    http()
    failed = http.failure("POST")
    assert failed.code == "unreachable"
    assert [each.count(b"HTTP/1.1\r\n") for each in target.heard] == [2, 3]


def test_many_at_once_share_it_and_nothing_gets_mixed_up(app: Flask, target: Target) -> None:
    def work(number: int) -> list[str]:
        http = Http(target.url)
        http.credentials = {"auth": "bearer", "token": f"token-of-{number}"}
        with app.app_context():
            return [http(path=f"/{number}/{turn}")["json"]["path"] for turn in range(20)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))
    assert answers == [[f"/v2/{number}/{turn}" for turn in range(20)] for number in range(8)]
    for call in target.calls:
        assert call.headers["authorization"] == f"Bearer token-of-{call.path.split('/')[2]}"


# Credentials.


@pytest.mark.parametrize(
    "credentials",
    [
        {"auth": "bearer", "token": TOKEN},
        {"auth": "bearer", "token": 'a"b\\c/d+e=%f<&>'},
        {"auth": "basic", "username": "ada", "password": 'pä"ss wörd'},
        {"auth": "header", "name": "X-Api-Key", "value": "471100815"},
    ],
)
def test_an_echo_of_the_credentials_does_not_get_through(
    raw: Raw, credentials: dict[str, str]
) -> None:
    secret = next(
        credentials[each] for each in ("token", "password", "value") if each in credentials
    )
    spelled = [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        b64encode(secret.encode()).decode(),
        escape(secret),
        f"before {secret} after",
    ]
    said: Any = {"list": spelled, secret: 1, f"x{secret}": {"deep": [secret]}}
    if secret.isdigit():
        said["n"] = int(secret)
    for status in ("200 OK", "500 Oh no"):
        for kind, written in (
            ("application/json", json.dumps(said)),
            ("application/json", json.dumps(said, ensure_ascii=False)),
            ("text/plain", "\n".join([*spelled, json.dumps(said)])),
        ):
            in_header = f"X-Echo: {secret.encode().decode('latin-1')}"
            http, _ = raw(
                answering(body(written.encode(), f"Content-Type: {kind}", in_header, status=status))
            )
            http.credentials = credentials
            result: Any
            try:
                result = http()
            except StepError as error:
                result = [str(error), error.asked, error.answered]
            told = json.dumps(result, ensure_ascii=False)
            for each in [
                *spelled,
                json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
            ]:
                assert each not in told
                assert each not in repr(result)
            assert "•••" in told


def test_nor_in_where_it_redirects(http: Http) -> None:
    failed = http.failure(query={"status": "302", "location": f"http://evil.example/{TOKEN}"})
    assert "•••" in str(failed)
    assert TOKEN not in str(failed) + repr(failed.answered)
