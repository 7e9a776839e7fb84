"""JSON lines: one message a line, whole lines only."""

import errno
import fcntl
import os
import select
import stat
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from streamer import wire
from streamer.errors import SinkError, SinkGone
from streamer.result import Result


class JsonLines:
    """Writes each result as one line to a file, or to stdout where the path is "-".

    A file holds this run only: what was in it before is gone. Each line goes out in one write.
    Where the disk takes only a part of one, that part is taken back. A kill can break off the last line,
    where it crosses a page of memory (Linux looks for the signal between two); `read_jsonl` passes over it.
    Entered again, it goes on at the end. A file that was moved away or deleted is begun anew.
    Raises SinkError; SinkGone where whoever read stdout has gone.
    """

    takes = Result
    backlog = 8  # a record should not have holes where the disk takes a moment

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._place = Path(self._path)
        self._fd = -1
        self._file: tuple[int, int] | None = None  # device and inode, where it is an ordinary file
        self._begun = False  # what is in the file is this run's
        self._torn: tuple[tuple[int, int], int] | None = (
            None  # a file with half a line, and where that begins
        )
        self._broken_off = False  # on stdout: half a line that could not be taken back
        self._seq: Counter[str] = Counter()

    def __enter__(self) -> Self:
        if self._path == "-":
            if sys.stdout is None or not _writable(sys.stdout.fileno()):
                raise SinkError("stdout is closed; write to a file instead")
            self._fd = sys.stdout.fileno()
            self._file = _ordinary(self._fd)
            return self
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fd, self._fd = self._fd, -1
        if self._path != "-" and fd >= 0:
            os.close(fd)

    def write(self, result: Result) -> None:
        """Write one line. Raises SinkError where it cannot be written whole."""
        if self._path != "-" and self._file is not None and not self._in_place():
            self.__exit__(None, None, None)
            self._open()
        camera = result.frame.camera
        line = wire.encode(wire.message(result, self._seq[camera])) + b"\n"
        if self._broken_off:
            line = b"\n" + line
        written = 0
        try:
            while written < len(line):
                written += self._write_some(line[written:])
        except OSError as error:
            self._take_back(written)
            if self._path == "-" and error.errno == errno.EPIPE:
                raise SinkGone(f"stdout: {_why(error)}") from error
            raise SinkError(f"{self._name} cannot be written any more: {_why(error)}") from error
        self._broken_off = False
        self._seq[camera] += 1

    def _write_some(self, data: bytes) -> int:
        while True:
            try:
                return os.write(self._fd, data)
            except BlockingIOError:  # a pipe that somebody made non-blocking: waited for as any other
                full = select.poll()
                full.register(self._fd, select.POLLOUT)
                full.poll()

    def _open(self) -> None:
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            # Not blocking, for a pipe that nobody reads would hold up the start for ever.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
            self._fd = os.open(self._path, flags, 0o644)
            os.set_blocking(self._fd, True)
            self._file = _ordinary(self._fd)
            if self._file is not None:  # a pipe has neither content nor rivals
                self._make_ours(self._file)
            self._begun = True
        except OSError as error:
            self.__exit__(None, None, None)
            raise SinkError(f"{self._path} cannot be written: {_why(error)}") from error
        except SinkError:
            self.__exit__(None, None, None)
            raise

    def _make_ours(self, file: tuple[int, int]) -> None:
        """Hold the file against other runs. What they have left in it goes, what this run wrote stays."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SinkError(f"{self._path} is being written by another run; choose another path") from error
        except OSError:
            pass  # a file system without locks: better unguarded than not at all
        if not self._begun:
            os.ftruncate(self._fd, 0)
        elif self._torn is not None and self._torn[0] == file:
            os.ftruncate(self._fd, self._torn[1])
        self._torn = None

    def _in_place(self) -> bool:
        """Whether the file is still the one that its path leads to."""
        try:
            found = self._place.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written any more: {_why(error)}") from error
        return (found.st_dev, found.st_ino) == self._file

    def _take_back(self, written: int) -> None:
        """Cut half a line off. A pipe cannot take anything back: its reader has gone or will see."""
        if not written:
            return
        if self._file is None:
            self._broken_off = self._path == "-"
            return
        # Where we write, which need not be the end: stdout is redirected without O_APPEND, and shared.
        whole = os.lseek(self._fd, 0, os.SEEK_CUR) - written
        try:
            os.ftruncate(self._fd, whole)
            os.lseek(self._fd, whole, os.SEEK_SET)  # or the next line would come after a hole
        except OSError:
            if self._path == "-":
                self._broken_off = True
            else:
                self._torn = self._file, whole  # when it can be written again

    @property
    def _name(self) -> str:
        return "stdout" if self._path == "-" else self._path


def _ordinary(fd: int) -> tuple[int, int] | None:
    """Device and inode of an ordinary file; None for pipes, terminals and other devices."""
    found = os.fstat(fd)
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _writable(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _why(error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return "nobody reads from this pipe"
    if error.errno == errno.EPIPE:
        return "whoever read it has gone"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename} is no folder"
    return (error.strerror or str(error)).lower()
