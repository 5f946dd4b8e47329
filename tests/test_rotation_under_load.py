"""A rotation while twenty clients call: nobody is refused who should pass, and none the other way.

Real processes, two of them, and clients that switch one by one.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.servers import Server, serving, wait_until
from tests.test_serve import create, set_up, token_of
from tests.world import PATH, secret_in

CLIENTS = 20


@dataclass(frozen=True)
class Call:
    secret: str
    began: float
    ended: float
    status: int


@dataclass
class Caller:
    """Calls again and again with the secret that it has, until it is told to stop."""

    server: Server
    secret: str
    calls: list[Call] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        with httpx.Client(base_url=self.server.url, timeout=30) as client:
            while not stop.is_set():
                secret, began = self.secret, time.monotonic()
                answer = client.get("/v1/me", headers={"Authorization": f"Bearer {secret}"})
                self.calls.append(Call(secret, began, time.monotonic(), answer.status_code))

    def has_called_with(self, secret: str) -> bool:
        return any(call.secret == secret for call in self.calls[-3:])


def test_no_call_is_refused_or_let_in_that_should_not_be(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "--workers", "2", env={"COMPASS_RATE_LIMIT": "none"}) as server:
        browser = set_up(server)
        old = create(browser)
        key_id = server.get("/v1/me", old).json()["key"]["id"]
        callers = [Caller(server, old) for _ in range(CLIENTS)]
        # This one never switches: it sees the end.
        laggard = Caller(server, old)
        stop = threading.Event()
        with ThreadPoolExecutor(CLIENTS + 1) as pool:
            running = [pool.submit(caller.run, stop) for caller in (*callers, laggard)]
            wait_until(all_have_called(callers, old))
            new = secret_in(post(browser, f"{key_id}/rotate", overlap_hours="1").text)
            for caller in callers:
                caller.secret = new
                wait_until(all_have_called([caller], new))
            asked = time.monotonic()
            assert post(browser, f"{key_id}/end-overlap").status_code == 303
            answered = time.monotonic()
            wait_until(lambda: any(call.began > answered for call in laggard.calls))
            wait_until(lambda: all(caller.calls[-1].began > answered for caller in callers))
            stop.set()
            for each in running:
                each.result()
        calls = [call for caller in (*callers, laggard) for call in caller.calls]
        assert {call.status for call in calls if call.secret == new} == {200}
        assert {call.status for call in calls if call.secret == old and call.ended < asked} == {200}
        late = {call.status for call in calls if call.secret == old and call.began > answered}
        assert late == {401}


def all_have_called(callers: list[Caller], secret: str) -> Callable[[], bool]:
    return lambda: all(caller.has_called_with(secret) for caller in callers)


def post(browser: httpx.Client, path: str, **form: str) -> httpx.Response:
    token = token_of(browser.get("/account"))
    return browser.post(f"{PATH}/{path}", data={"csrf_token": token, **form})
