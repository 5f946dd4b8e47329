"""Pages are compressed where nobody else's words are in them."""

import gzip

from tests.world import PATH, World

GZIP = {"Accept-Encoding": "gzip"}


def test_a_page_is_compressed_for_those_who_take_it(world: World) -> None:
    browser = world.browser("alice")
    plain = browser.client.get(PATH)
    zipped = browser.client.get(PATH, headers=GZIP)
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "API Keys" in gzip.decompress(zipped.data).decode()
    assert int(zipped.headers["Content-Length"]) == len(zipped.data) < len(plain.data) / 2
    for response in (plain, zipped):
        assert {"Accept-Encoding", "HX-Request"} <= set(response.vary)


def test_a_page_with_somebodys_words_in_it_is_not(world: World) -> None:
    browser = world.browser("alice")
    for path in (f"{PATH}?q=x", f"{PATH}/new?name=x"):
        response = browser.client.get(path, headers=GZIP)
        assert "Content-Encoding" not in response.headers, path


def test_a_page_with_a_secret_is_not(world: World) -> None:
    _, key_id = world.key()
    browser = world.browser("alice")
    form = {"name": "New", "type": "service_account", "project": world.project}
    created = browser.post(PATH, form, headers=GZIP)
    rotated = browser.post(f"{PATH}/{key_id}/rotate", {"overlap_hours": "1"}, headers=GZIP)
    for response in (created, rotated):
        assert response.status_code == 200
        assert "Content-Encoding" not in response.headers


def test_the_key_door_does_not_compress(world: World) -> None:
    secret, _ = world.key()
    headers = {"Authorization": f"Bearer {secret}", **GZIP}
    response = world.app.test_client().get("/v1/me", headers=headers)
    assert "Content-Encoding" not in response.headers
