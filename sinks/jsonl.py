"""JSON lines: one message a line, whole lines only."""

import errno
import fcntl
import os
import stat
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from streamer import wire
from streamer.errors import SinkError
from streamer.result import Result


class JsonLines:
    """Writes each result as one line to a file, or to stdout where the path is "-".

    A file holds this run only: what was in it before is gone. Each line goes out in one write.
    Where the disk takes only a part of one, that part is taken back. A kill can break off the last line,
    where it crosses a page of memory (Linux looks for the signal between two); `read_jsonl` passes over it.
    Raises SinkError.
    """

    takes = Result
    backlog = 8  # a record should not have holes where the disk takes a moment

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._fd = -1
        self._seq: Counter[str] = Counter()

    def __enter__(self) -> Self:
        if self._path == "-":
            if sys.stdout is None or not _writable(sys.stdout.fileno()):
                raise SinkError("stdout is closed; write to a file instead")
            self._fd = sys.stdout.fileno()
            return self
        try:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            # Not blocking, for a pipe that nobody reads would hold up the start for ever.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
            fd = os.open(self._path, flags, 0o644)
            os.set_blocking(fd, True)
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {_why(error)}") from error
        self._fd = fd
        try:
            self._begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path != "-" and self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def write(self, result: Result) -> None:
        """Write one line. Raises SinkError where it cannot be written whole."""
        camera = result.frame.camera
        line = wire.encode(wire.message(result, self._seq[camera])) + b"\n"
        self._seq[camera] += 1
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError as error:
            self._take_back(written)
            raise SinkError(f"{self._name} cannot be written any more: {_why(error)}") from error

    def _begin(self) -> None:
        """Make the file ours and empty, if it is one: a pipe has neither content nor rivals."""
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SinkError(f"{self._path} is being written by another run; choose another path") from error
        except OSError:
            pass  # a file system without locks: better unguarded than not at all
        os.ftruncate(self._fd, 0)

    def _take_back(self, written: int) -> None:
        """Cut half a line off. A pipe cannot take anything back: its reader has gone or will see."""
        if written and stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)

    @property
    def _name(self) -> str:
        return "stdout" if self._path == "-" else self._path


def _writable(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _why(error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return "nobody reads from this pipe"
    if error.errno == errno.EPIPE:
        return "whoever read it has gone"
    return (error.strerror or str(error)).lower()
