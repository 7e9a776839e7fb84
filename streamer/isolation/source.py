"""The source that a camera's loop sees: its decoder runs elsewhere."""

import contextlib
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from streamer.contracts import Captured
from streamer.errors import Cause, ConfigError, SourceError
from streamer.isolation.connection import Connection, lines_allowed
from streamer.isolation.deaths import Deaths
from streamer.isolation.messages import Job, encode
from streamer.isolation.process import Process
from streamer.isolation.starting import enter, leave, provide, start
from streamer.sources import open_source
from streamer.sources.address import Address
from streamer.sources.options import SourceOptions

_AS_IT_IS = SourceOptions()


class Isolated:
    """A live source in a process of its own. What crashes there is a SourceError here (Cause.CRASH).

    The first entry starts the process. It stays over connections that fail or end, and opens its source
    again at each entry; left in the middle of one, and at the end of a recording, it is ended within
    0.3 s, by force if need be. One that dies before its first picture is started again ever later, and
    entering raises until then. Pictures lie in shared memory and are copied when they are first looked
    at; `bgr` and `luma` raise Stale where that is too late: the decoder waits for nobody. Raises
    SourceError on entry and while iterating, as the source itself does; ConfigError for a recording of
    which every frame is wanted. `stop`, from any thread, ends it for good.
    """

    live = True

    def __init__(self, address: Address, options: SourceOptions = _AS_IT_IS) -> None:
        inner = open_source(address, options)
        if not inner.live:
            raise ConfigError(
                f"{address.redacted}: isolation: process drops what comes too late, and of a recording every "
                "frame is wanted; add live: true, or leave isolation out"
            )
        self.ends = inner.ends
        self._address = address
        self._options = options
        self.sparse = options.decode == "key"
        self._lock = threading.Lock()  # over the three below
        self._process: Process | None = None
        self._entered = False
        self._stopping = False
        self._connection: Connection | None = None
        self._lines = lines_allowed()
        self._deaths = Deaths()
        self._unstopped: weakref.finalize[..., Isolated] | None = None
        self._unleft = weakref.finalize(self, leave, id(self))
        self._unleft.atexit = False

    @property
    def pid(self) -> int | None:
        """The process that decodes, while there is one."""
        process = self._process
        return process.pid if process else None

    def __enter__(self) -> Self:
        with self._lock:
            if self._stopping:
                raise self._stopped()
            self._entered = True
        try:
            self._begin(self._running())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._close()
        if kind is None and self._process is None:
            leave(id(self))

    def _close(self) -> None:
        with self._lock:
            self._entered = False
            waits = self._connection is not None and self._connection.over
            kept = waits and not self._stopping and not self.ends
        if not kept:
            self._end()
        self._connection = None  # pictures that are still looked at keep their slots

    def __iter__(self) -> Iterator[Captured]:
        connection = self._connection
        if connection is None:
            raise ValueError("a source is entered before it is iterated")
        overwritten: Captured | None = None  # we were held up; what comes next says so
        failure: SourceError | None = None
        try:
            while (heard := self._next(connection)) is not None:
                captured, there = heard
                if overwritten is not None:
                    skipped = captured.skipped + 1 + overwritten.skipped
                    undecoded = captured.undecoded + overwritten.undecoded
                    captured = replace(captured, skipped=skipped, undecoded=undecoded)
                overwritten = None if there else captured
                if there:
                    yield captured
        except SourceError as error:
            failure = error
        if overwritten is not None:  # nothing comes next: whoever looks at it is told
            yield overwritten
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # it would hold on to this frame, and that to it

    def _next(self, connection: Connection) -> tuple[Captured, bool] | None:
        if self._stopping:
            return None
        with self._judged():
            first, heard = not connection.seen, connection.next()
        if first and heard:
            self._deaths.survived()
            provide()
        return heard

    def stop(self) -> None:
        """End the iteration, and the process. From any thread; waits only for one that nobody reads."""
        with self._lock:
            self._stopping = True
            process, unread = self._process, not self._entered
        if process is not None:
            process.hang_up()
        if unread:
            self._end()
        self._unleft()

    def renew(self) -> "Isolated":
        """Another one for the same place; this one is stopped, its process killed."""
        with self._lock:
            self._stopping = True
            process = self._process
        if process is not None:
            process.kill()
        other = Isolated(self._address, self._options)
        enter(id(other))  # before this one leaves: the spare is for it
        self.stop()
        return other

    # ---- the process

    def _running(self) -> Process:
        """The process, a new one where there is none. Raises SourceError where it may not be started yet."""
        process = self._process
        if process is not None and process.alive:
            return process
        self._end()
        if why := self._deaths.forbids:
            raise self._failure(why)
        try:
            process = start(id(self))
        except OSError as error:
            raise self._failure(f"no process could be started to decode it ({error.strerror})") from error
        with self._lock:
            stopping = self._stopping
            if not stopping:
                self._process = process
        if stopping:
            process.end()
            leave(id(self))
            raise self._stopped()
        self._unstopped = weakref.finalize(self, process.end)
        self._unstopped.atexit = False  # it ends with this process in any case
        with contextlib.suppress(ConnectionError):  # it died; listening finds that out
            process.channel.send(encode(self._job()))
        return process

    def _begin(self, process: Process) -> None:
        self._connection = Connection(process.channel, self._address, self._lines)
        with self._judged():
            self.sparse = self._connection.open()

    def _job(self) -> Job:
        address = self._address
        return Job(
            address.kind,
            address.text,
            address.redacted,
            address.name,
            address.live,
            self._options,
            address.environment,
        )

    # ---- what became of it

    @contextlib.contextmanager
    def _judged(self) -> Iterator[None]:
        """What ends a connection is a SourceError."""
        try:
            yield
        except SourceError:
            raise
        except ConnectionError:
            raise (self._stopped() if self._stopping else self._died()) from None
        except (OSError, ValueError) as error:
            raise self._nonsense(str(error)) from error

    def _end(self) -> int | None:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return None
        if self._unstopped is not None:
            self._unstopped.detach()
        return process.end()

    def _died(self) -> SourceError:
        status = self._end()
        how = "for no known reason" if status is None else f"exit status {status}"
        if status is not None and status < 0:
            how = f"signal {-status}"
        return self._lost(f"the process that decodes it died ({how})")

    def _nonsense(self, what: str) -> SourceError:
        process = self._process
        if process is not None:
            process.kill()
        return self._lost(f"the process that decodes it said what makes no sense ({what[:200]})")

    def _lost(self, how: str) -> SourceError:
        if self._connection is None or not self._connection.seen:
            how = f"{how} before its first picture"
            self._deaths.died(how)
        return self._failure(how)

    def _failure(self, text: str) -> SourceError:
        return SourceError(Cause.CRASH, f"{self._address.redacted}: {text}")

    def _stopped(self) -> SourceError:
        return SourceError(Cause.ENDED, f"{self._address.redacted}: was stopped")
