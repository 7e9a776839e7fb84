"""A pipeline's threads, where a Ctrl-C comes while one of them is started."""

import _thread
import threading
from collections.abc import Callable

import pytest

from streamer.threads import Threads


def interrupted(
    monkeypatch: pytest.MonkeyPatch, late: Callable[[Callable[[], None]], None], target: Callable[[], None]
) -> Threads:
    """Threads of which one was being started; `late` is given what would have started it."""
    start = threading.Thread.start

    def interrupt(thread: threading.Thread) -> None:
        late(lambda: start(thread))
        raise KeyboardInterrupt

    threads = Threads(lambda error: pytest.fail(str(error)))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            threads.start("late", target)
    return threads


def test_one_that_is_only_just_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted, `Thread.start` returns before the thread is known to run."""
    ran = threading.Event()

    def later(start: Callable[[], None]) -> None:  # by _thread, for the start of a Thread is what is patched
        _thread.start_new_thread(lambda: threading.Event().wait(0.1) or start(), ())

    threads = interrupted(monkeypatch, later, ran.set)
    threads.join(10)
    assert ran.is_set()
    assert threads.given_up == []


def test_one_that_never_started_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = interrupted(monkeypatch, lambda start: None, lambda: None)
    threads.join(0.05)
    assert threads.given_up == []


def test_one_that_hangs_is_given_up_by_name() -> None:
    threads, wake, running = Threads(lambda error: None), threading.Event(), threading.Event()

    def hang() -> None:
        running.set()
        wake.wait(20)

    threads.start("stuck", hang)
    threads.start("fine", lambda: None)
    threads.join(0.05)
    assert threads.given_up == ["stuck"]
    wake.set()
    threads.join(10)
    assert threads.given_up == []


def test_one_that_there_is_no_room_for_hides_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    threads = Threads(lambda error: None)
    with pytest.raises(RuntimeError, match="can't start"):
        threads.start("late", lambda: None)
    threads.join(1)
    assert threads.given_up == []
