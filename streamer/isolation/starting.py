"""Children come from one thread, one ahead: a camera whose child died gets one that waits already.

The kernel ends a child with the thread that started it, and a camera's threads come and go with its
connections. The spare has imported what it needs, which is most of the time until a picture is there
again; it ends with the last source that might need it.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from streamer.isolation.process import Process

_thread = ThreadPoolExecutor(1, thread_name_prefix="isolation")
_lock = threading.RLock()  # over the two below; a collection in the middle of it may end with `leave`
_users: set[int] = set()
_spare: Future[Process] | None = None


def start(user: int) -> Process:
    """A child; waits until the system has made it, not for what it does. Raises OSError.

    `user` is whoever may soon want another, until it says `leave`.
    """
    global _spare
    with _lock:
        _users.add(user)
        taken, _spare = _spare, None
    if taken is not None and taken.exception() is None:
        process = taken.result()
        if process.alive:
            return process
        process.end()
    return _thread.submit(Process).result()


def enter(user: int) -> None:
    """It may soon want a child, until it says `leave`."""
    with _lock:
        _users.add(user)


def provide() -> None:
    """Have a spare for whoever needs one next. Called when pictures come: its start delays none of them."""
    global _spare  # noqa: PLW0603 - there is one for all cameras
    with _lock:
        if _users and _spare is None:
            _spare = _thread.submit(Process)


def leave(user: int) -> None:
    """It needs no child any more, until it starts another."""
    global _spare
    with _lock:
        _users.discard(user)
        if _users or _spare is None:
            return
        left, _spare = _spare, None
    left.add_done_callback(_end)


def _end(spare: Future[Process]) -> None:
    if spare.exception() is None:
        process = spare.result()
        process.kill()  # it has nothing to say good-bye to
        process.end()
