"""What an http step asks: under its base, in one line, and nothing else."""

import json
import posixpath
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compass.server.core.steps import StepError
from tests.http_steps import TOKEN, Http
from tests.target import Target


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


ESCAPES: list[Any] = [
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
@settings(deadline=None)
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
