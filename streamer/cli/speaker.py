"""What a run has to say, in a thread of its own: whoever reads may have paused, and nothing waits for it."""

import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

MOST_DUE = 500  # lines that nobody has read yet; what comes then is left out, and how many is said
END_S = 0.4  # at the end, for what is still due: a run ends within two seconds, whoever reads


class Speaker:
    """Says one thing after the other. Thread-safe; nobody waits but in `close`.

    `missing` says that so many lines were left out.
    """

    def __init__(self, missing: Callable[[int], None]) -> None:
        self._missing = missing
        self._changed = threading.Condition()
        self._due: deque[Callable[[], object]] = deque()
        self._shown: Callable[[], object] | None = None
        self._left_out = 0
        self._closed = False
        # A daemon: where nobody reads any more, it hangs in its write.
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._thread.start()

    def say(self, thing: Callable[[], object]) -> None:
        """Have it done after what was said before, or left out where too much waits."""
        with self._changed:
            if len(self._due) >= MOST_DUE or self._closed:
                self._left_out += 1
                return
            self._own_up()
            self._due.append(thing)
            self._changed.notify_all()

    def show(self, thing: Callable[[], object]) -> None:
        """Have it done when nothing is left to be said, unless a newer one comes first."""
        with self._changed:
            self._shown = thing
            self._changed.notify_all()

    def close(self, timeout_s: float = END_S) -> None:
        """Say what is due, as far as somebody reads it in that time."""
        with self._changed:
            self._own_up()
            self._shown, self._closed = None, True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _own_up(self) -> None:
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self._due.append(lambda: self._missing(count))

    def _run(self) -> None:
        while (thing := self._next()) is not None:
            # Where nobody can be told, nobody is; a line that cannot be made must not end all the others.
            with suppress(Exception):
                thing()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._due or self._shown or self._closed)
            if self._due:
                return self._due.popleft()
            thing, self._shown = self._shown, None
            return thing


class Aside(logging.Handler):
    """Makes a log record a line where it is logged, and has a speaker hand it to the handler that writes."""

    def __init__(self, handler: logging.Handler, speaker: Speaker) -> None:
        super().__init__()
        self.speaker = speaker
        self._handler = handler

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:  # somebody's value that cannot be made a text
            text = (
                f"a log line of {record.pathname}:{record.lineno} could not be made: {type(error).__name__}"
            )
        ready = logging.makeLogRecord(
            {"name": record.name, "levelno": record.levelno, "levelname": record.levelname, "msg": text}
        )
        # Not `handle`: the handler's lock, held by a write that hangs, would hold up the end of the process.
        self.speaker.say(lambda: self._handler.emit(ready))


class Unbuffered:
    """A text stream's descriptor, as a file to write to. Where nobody reads, no buffer's lock is held.

    Whoever flushes the stream itself at the end does not wait then. What cannot be written is dropped.
    """

    def __init__(self, stream: TextIO) -> None:
        self.encoding = stream.encoding or "utf-8"
        self._stream = stream
        try:
            stream.flush()
            self._fd: int | None = stream.fileno()
        except (OSError, ValueError):  # none of the system's
            self._fd = None

    def write(self, text: str) -> int:
        """Write all of it."""
        with suppress(OSError, ValueError):
            if self._fd is None:
                self._stream.write(text)
            else:
                _write(self._fd, text.encode(self.encoding, "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def fileno(self) -> int:
        """The descriptor. Raises OSError where there is none."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether that is a terminal."""
        return self._stream.isatty()


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:  # somebody who shares the terminal has made it so
            select.select([], [fd], [])
