"""The source that a camera's loop sees: its decoder runs elsewhere."""

import contextlib
import os
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import msgspec

from streamer.contracts import Captured
from streamer.errors import Cause, ConfigError, SourceError
from streamer.isolation import messages, planes
from streamer.isolation.messages import Ended, Failed, Job, Opened, Room, Said, Shot, encode
from streamer.isolation.process import Process
from streamer.isolation.segment import Reading, reserve
from streamer.sources import open_source
from streamer.sources.address import Address


class Isolated:
    """A live source in a process of its own. What crashes there is a SourceError here (Cause.CRASH).

    Each entry starts the process, leaving ends it within 0.3 s, by force if need be. Pictures lie in shared
    memory and are copied when they are first looked at; `bgr` and `luma` raise Stale where that is too
    late: the decoder waits for nobody. Raises SourceError on entry and while iterating, as the source
    itself does; ConfigError for a recording of which every frame is wanted. `stop`, from any thread, ends
    it for good.
    """

    live = True

    def __init__(self, address: Address, transport: str = "tcp", *, live: bool | None = None) -> None:
        inner = open_source(address, live=live, transport=transport)
        if not inner.live:
            raise ConfigError(
                f"{address.redacted}: isolation: process drops what comes too late, and of a recording every "
                "frame is wanted; add live: true, or leave isolation out"
            )
        self.ends = inner.ends
        self._address = address
        self._transport = transport
        self._live = live
        self._lock = threading.Lock()  # over the two below
        self._process: Process | None = None
        self._stopping = False
        self._slots: Reading | None = None

    @property
    def pid(self) -> int | None:
        """The process that decodes, while there is one."""
        process = self._process
        return process.pid if process else None

    def __enter__(self) -> Self:
        try:
            with self._lock:
                if self._stopping:
                    raise self._stopped()
                self._process = Process()
        except SourceError:
            raise
        except OSError as error:
            raise self._failure(f"no process could be started to decode it ({error.strerror})") from error
        try:
            self._begin(self._process)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._end()
        self._slots = None  # pictures that are still looked at keep theirs

    def __iter__(self) -> Iterator[Captured]:
        process, overwritten = self._process, 0
        if process is None:
            raise ValueError("a source is entered before it is iterated")
        while not self._stopping:
            match self._hear(process):
                case Shot() as shot if self._slots is not None:
                    captured = self._captured(shot, self._slots, overwritten)
                    if self._slots.holds(shot.number):
                        overwritten = 0
                        yield captured
                    else:  # we were held up; what comes next says so
                        overwritten = captured.skipped + 1
                case Room(picture_bytes):
                    self._slots = self._make_room(process, picture_bytes)
                case Ended():
                    return
                case other:
                    raise self._nonsense(f"{type(other).__name__} out of turn")

    def stop(self) -> None:
        """End the iteration, and the process. From any thread; does not wait."""
        with self._lock:
            self._stopping = True
            if self._process is not None:
                self._process.hang_up()

    def renew(self) -> "Isolated":
        """Another one for the same place; this one is stopped, its process killed."""
        self.stop()
        with self._lock:
            if self._process is not None:
                self._process.kill()
        return Isolated(self._address, self._transport, live=self._live)

    def _begin(self, process: Process) -> None:
        address = self._address
        job = Job(
            address.kind, address.text, address.redacted, address.name, self._live_asked(), self._transport
        )
        with contextlib.suppress(ConnectionError):  # it died; how is found out by listening
            process.channel.send(encode(job))
        answer = self._hear(process)
        if not isinstance(answer, Opened):
            raise self._nonsense(f"{type(answer).__name__} before it had opened anything")

    def _live_asked(self) -> bool:
        return self._live if self._live is not None else self._address.live

    def _hear(self, process: Process) -> Said:
        """What it says next. Raises SourceError for what it failed with, its death and nonsense."""
        try:
            message = process.channel.receive()
            said = None if message is None else messages.said(message)
        except (msgspec.DecodeError, ValueError) as error:
            raise self._nonsense(str(error)) from error
        if said is None:
            raise self._stopped() if self._stopping else self._died()
        if isinstance(said, Failed):
            raise SourceError(said.cause, self._address.redact(said.text))
        return said

    def _captured(self, shot: Shot, slots: Reading, overwritten: int) -> Captured:
        try:
            fits = planes.bytes_of(shot.form) <= slots.picture_bytes
        except ValueError as error:
            raise self._nonsense(str(error)) from error
        if not fits:
            raise self._nonsense("a picture larger than its slot")
        return Captured(
            picture=planes.shared_picture(slots, shot.number, shot.form),
            captured_ns=shot.captured_ns,
            pts_ns=shot.pts_ns,
            source_ns=shot.source_ns,
            keyframe=shot.keyframe,
            skipped=shot.skipped + overwritten,
            segmented=shot.segmented,
            damaged=shot.damaged,
        )

    def _make_room(self, process: Process, picture_bytes: int) -> Reading:
        try:
            descriptor = reserve(picture_bytes)
            try:
                slots = Reading(descriptor, picture_bytes)
                process.channel.send_descriptor(descriptor)
            finally:
                os.close(descriptor)
        except ConnectionError:
            raise self._died() from None
        except (OSError, ValueError) as error:
            mib = picture_bytes / 2**20
            text = f"no shared memory for pictures of {mib:.0f} MiB ({error}); a substream would do"
            raise SourceError(Cause.CODEC, f"{self._address.redacted}: {text}") from error
        return slots

    def _end(self) -> int | None:
        with self._lock:
            process, self._process = self._process, None
        return process.end() if process else None

    def _died(self) -> SourceError:
        status = self._end()
        how = "for no known reason" if status is None else f"exit status {status}"
        if status is not None and status < 0:
            how = f"signal {-status}"
        return self._failure(f"the process that decodes it died ({how})")

    def _nonsense(self, what: str) -> SourceError:
        return self._failure(f"the process that decodes it said what makes no sense ({what[:200]})")

    def _failure(self, text: str) -> SourceError:
        return SourceError(Cause.CRASH, f"{self._address.redacted}: {text}")

    def _stopped(self) -> SourceError:
        return SourceError(Cause.ENDED, f"{self._address.redacted}: was stopped")
