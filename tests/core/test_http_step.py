"""What an http step makes of what comes back, and what of it nobody gets to see."""

import json
from base64 import b64encode
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from compass.server.core.steps import StepError
from tests.http_steps import TOKEN, Http
from tests.raw_target import Line, Raw, answering, body, head
from tests.target import Target


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
@pytest.mark.usefixtures("settings_alone")
def test_metadata_addresses_are_not_gone_to(address: str) -> None:
    failed = Http(address).failure()
    assert failed.code == "refused_address"
    assert "link-local" in str(failed)


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


def test_nor_does_the_part_of_a_header_that_is_the_secret(raw: Raw) -> None:
    http, _ = raw(answering(body(f"invalid key: {TOKEN}".encode(), "Content-Type: text/plain")))
    http.credentials = {"auth": "header", "name": "Authorization", "value": f"Token {TOKEN}"}
    assert http()["text"] == "invalid key: •••"


def test_nor_what_is_left_of_them_where_an_address_is_long(http: Http) -> None:
    for padding in range(170, 200):
        location = f"http://evil.example/{'p' * (padding - 20)}{TOKEN}"
        failed = http.failure(query={"status": "302", "location": location})
        assert TOKEN[:4] not in str(failed), padding


@pytest.mark.parametrize("secret", ["json", "status", "a", "GET"])
def test_a_secret_that_is_an_ordinary_word_changes_no_member_of_a_result(
    http: Http, secret: str
) -> None:
    http.credentials = {"auth": "basic", "username": "ada", "password": secret}
    result = http()
    assert set(result) == {"status", "headers", "json"}
    assert result["status"] == 200
