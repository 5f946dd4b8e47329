"""What nobody types and attackers send: an answer each, never a crash."""

from io import BytesIO

import pytest

from compass.server.core.models import Key
from tests.conftest import both
from tests.world import PASSWORD, PATH, World


@both
@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{PATH}?project=%00", 200),
        (f"{PATH}?q=%00&status=%00&page=%00", 200),
        (f"{PATH}?q=%ff%fe", 200),
        (f"{PATH}/new?project=%00&type=%00&name=%00&role=%00", 200),
        (f"{PATH}/%00", 404),
        (f"{PATH}/x%00/revoke", 404),
        (f"{PATH}/key_%F0%9F%94%91", 404),
        (f"{PATH}/new?expires_in_days={'0' * 5000}1", 200),
        ("/docs/%00", 404),
        ("/assets/%00", 404),
    ],
)
def test_addresses(world: World, path: str, status: int) -> None:
    for htmx in (False, True):
        assert world.browser("alice").get(path, htmx=htmx).status_code == status


@both
@pytest.mark.parametrize("path", [f"{PATH}/x%00/revoke", f"{PATH}/x%00/rename"])
def test_ids_in_forms(world: World, path: str) -> None:
    assert world.browser("alice").post(path, {"name": "x"}).status_code == 404


@both
@pytest.mark.parametrize("email", ["a\0@b", "\0", "a@b\ud800".encode("utf-8", "replace").decode()])
def test_sign_in_with_what_is_no_address(world: World, email: str) -> None:
    response = world.browser().post("/login", {"email": email, "password": "x"})
    assert response.status_code == 422


@both
@pytest.mark.parametrize("field", ["name", "type", "project", "role", "expires_in_days"])
def test_creation_with_a_nul_in_a_field(world: World, field: str) -> None:
    form = {"project": world.project, field: "a\0b"}
    assert world.browser("alice").create(**form).status_code == 422
    assert world.count(Key) == 0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/login", "email"), ("/login", "password"), ("/login", "next"), ("/account", "name"),
        ("/account/password", "current_password"), (PATH, "name"), (PATH, "expires_in_days"),
    ],
)  # fmt: skip
def test_a_file_in_place_of_a_field_is_as_good_as_nothing(
    world: World, path: str, field: str
) -> None:
    browser = world.browser("alice")
    fields = {"email": "a@b", "password": "x", "name": "", "project": world.project} | {
        field: (BytesIO(b"x"), "file.txt")
    }
    status = browser.post(path, fields, content_type="multipart/form-data").status_code
    assert status == 422
    assert world.count(Key) == 0


def test_a_lifetime_of_many_zeros_is_the_number_behind_them(world: World) -> None:
    form = {"project": world.project, "expires_in_days": "0" * 5000 + "1"}
    assert world.browser("alice").create(**form).status_code == 200


@pytest.mark.parametrize("url", ["http://[", "nonsense", "//evil.example/x", "http://h/a\\b", ""])
def test_htmx_headers_that_lead_nowhere(world: World, url: str) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": url}
    response = world.browser().client.get(PATH, headers=headers)
    assert response.status_code == 401
    assert "evil" not in response.headers["HX-Redirect"]


def test_parameters_of_ours_are_not_the_frameworks(world: World) -> None:
    secret, _ = world.key()
    for more in ("endpoint=1", "_method=POST", "_external=1", "_anchor=x", "values=1"):
        response = world.browser("alice").get(f"{PATH}?q={secret}&{more}")
        assert response.status_code == 302
        assert response.headers["Location"].startswith(f"{PATH}?q=compass_sa_")
        assert more.split("=")[0] not in response.headers["Location"]


def test_a_method_that_is_none_here_says_which_are(world: World) -> None:
    response = world.browser("alice").client.put("/login")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


def test_a_line_break_in_a_path_is_none_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from compass.server.core import keys

    browser = world.browser("alice")
    monkeypatch.setattr(keys, "get", None)
    assert browser.get(f"{PATH}/x%0aFAKE LINE").status_code == 500
    assert not [line for line in caplog.text.splitlines() if line.startswith("FAKE")]


@both
def test_a_decomposed_address_signs_in(world: World) -> None:
    world.add_user("ren\u00e9e")
    form = {"email": "Rene\u0301e@example.org", "password": PASSWORD}
    assert world.browser().post("/login", form).status_code == 303
