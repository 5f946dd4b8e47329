"""The counts of requests in a process's memory."""

from compass.server.api.rate_limit import ROOM, ProcessStorage


def test_a_window_counts_until_it_ends() -> None:
    storage = ProcessStorage()
    assert [storage.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    assert storage.incr("b", 60) == 1
    assert storage.get("a") == 3
    assert [storage.incr("ended", -1) for _ in range(3)] == [1, 1, 1]
    assert storage.get("ended") == storage.get("never") == 0


def test_ended_windows_are_dropped_and_the_others_kept() -> None:
    storage = ProcessStorage()
    storage.incr("alive", 60)
    for number in range(10 * ROOM):
        storage.incr(f"ended {number}", -1)
    assert storage.get("alive") == 1
    assert storage.reset() <= ROOM + 1


def test_room_grows_with_what_is_alive() -> None:
    storage = ProcessStorage()
    for number in range(3 * ROOM):
        storage.incr(f"alive {number}", 60)
    assert all(storage.get(f"alive {number}") == 1 for number in range(3 * ROOM))
