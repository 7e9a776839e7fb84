"""Lines that somebody obeys one after the other: who gives them need not wait for that."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from streamer.errors import Cause, ConfigError, SourceError

ANSWER_S = 120.0  # for pictures that have to be encoded first; the rest is at once


class Orders:
    """Hands lines on in a thread of its own, each when the one before was obeyed.

    `send` sends a line, `answer` reads one; `to` names whoever obeys. `order` and `close` are for one thread.
    """

    def __init__(self, to: str, send: Callable[[str], None], answer: Callable[[], str]) -> None:
        self._to = to
        self._send = send
        self._answer = answer
        self._thread = ThreadPoolExecutor(1, f"orders for {to}")

    def order(self, words: str) -> Future[int]:
        """When it was obeyed, monotonic ns.

        Raises there ConfigError where it was refused, SourceError where nobody answered.
        """
        return self._thread.submit(self._obeyed, words)

    def close(self) -> None:
        """Nothing more is sent. Whoever still waits for an answer is to be woken before."""
        self._thread.shutdown(cancel_futures=True)

    def _obeyed(self, words: str) -> int:
        answer = ""
        with suppress(OSError, ValueError):  # it has gone, or we have
            self._send(words + "\n")
            answer = self._answer().strip()
        now_ns = time.monotonic_ns()
        if not answer:
            raise SourceError(Cause.SILENCE, f"{words}: {self._to} does not answer")
        if answer != "ok":
            raise ConfigError(f"{words}: {self._to} says: {answer}")
        return now_ns
