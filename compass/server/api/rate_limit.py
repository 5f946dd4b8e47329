"""How often a key may call. It guards load, not secrets: where its store is away, keys go on."""

import logging
import time
from threading import Lock

from flask import Flask, current_app
from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from compass.server.api.problems import Problem

log = logging.getLogger("compass.server")

# Windows that are kept before the ended ones are looked for.
ROOM = 1000


class ProcessStorage(Storage):
    """Counts in this process's memory.

    The library's own keeps a timer that starts a thread a hundred times a second, which walks
    over every key: under load that took as long as the requests. Here ended windows are dropped
    when there are twice as many windows as were left the last time.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[int, float]] = {}
        self._room = ROOM
        self._lock = Lock()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        moment = time.time()
        with self._lock:
            count, ends = self._windows.get(key, (0, 0.0))
            if ends <= moment:
                count, ends = 0, moment + expiry
                self._make_room(moment)
            self._windows[key] = count + amount, ends
        return count + amount

    def get(self, key: str) -> int:
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    def get_expiry(self, key: str) -> float:
        return self._windows.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def _make_room(self, moment: float) -> None:
        if len(self._windows) < self._room:
            return
        self._windows = {key: each for key, each in self._windows.items() if each[1] > moment}
        self._room = max(ROOM, 2 * len(self._windows))


def init_app(app: Flask) -> None:
    uri = app.config["COMPASS"].rate_limit_storage
    storage = ProcessStorage() if uri == "memory://" else storage_from_string(uri)
    limits = app.config["COMPASS"].rate_limit
    app.extensions["compass-limits"] = FixedWindowRateLimiter(storage), limits


def count(key_id: str) -> None:
    """One more request of this key. Raises Problem 429."""
    limiter: FixedWindowRateLimiter
    limits: tuple[RateLimitItem, ...]
    limiter, limits = current_app.extensions["compass-limits"]
    for limit in limits:
        try:
            if limiter.hit(limit, key_id):
                continue
            reset_time = limiter.get_window_stats(limit, key_id).reset_time
        except StorageError:
            log.warning("The rate limit's store does not answer; nothing is limited meanwhile.")
            return
        wait = max(1, round(reset_time - time.time()))
        raise Problem(
            429,
            "rate_limited",
            f"This key has made more than its {limit.amount} requests per {_window(limit)}. "
            f"Try again in {wait} s.",
            {"Retry-After": str(wait)},
        )


def _window(limit: RateLimitItem) -> str:
    unit = limit.GRANULARITY.name
    return unit if limit.multiples == 1 else f"{limit.multiples} {unit}s"
