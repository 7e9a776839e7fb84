"""Motion JPEG over HTTP: one picture behind the other in an answer that never ends.

FFmpeg holds each picture until the next one begins where the server tells no length, and memory for as
much as comes.
"""

import http.client
from collections.abc import Iterator
from dataclasses import replace

import av

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources.address import Address
from streamer.sources.causes import no_picture, silence
from streamer.sources.decoding import Decoding, Known
from streamer.sources.joining import new_decoder
from streamer.sources.jpegs import Jpegs
from streamer.sources.web import Answer

READ_BYTES = 262_144
# So much of what has come is taken in before a picture is looked at.
MOST_AT_ONCE_BYTES = 4_000_000
MOST_AT_ONCE_S = 0.2  # … and for so long: a server may hand out one byte after the other
# Pictures that come together: more than this are a backlog, and each of them stands alone.
MOST_TOGETHER = 3


class Mjpeg:
    """One answer's pictures. They have no times of their own. Used in one thread, but for `stop`."""

    def __init__(self, answer: Answer, address: Address, clock: Clock, *, read_s: float) -> None:
        self._answer = answer
        self._address = address
        self._clock = clock
        self._read_s = read_s
        self._jpegs = Jpegs()
        self._decoding = Decoding(new_decoder("mjpeg"), address)
        self._failure: SourceError | None = None  # to be raised once what came before it is taken
        self._stopping = False

    @property
    def damaged(self) -> int:
        """Pictures that did not come whole, or could not be decoded."""
        return self._decoding.damaged + self._jpegs.broken

    def pictures(self, no_picture_s: float) -> Iterator[tuple[Captured, int]]:
        """What comes, and how many bytes it was; ends when the server does. Raises SourceError."""
        last_ns, skipped = self._clock.now_ns(), 0
        while (found := self._next()) is not None:
            backlog = len(found) - 1 if len(found) > MOST_TOGETHER else 0
            skipped += backlog
            for data, captured_ns in found[backlog:]:
                for frame in self._decoding.decode_known(av.Packet(data), Known(captured_ns, True)):
                    last_ns = captured_ns
                    yield replace(self._decoding.captured(frame, None), skipped=skipped), len(data)
                    skipped = 0
            if self._clock.now_ns() - last_ns > no_picture_s * 1e9:
                raise no_picture(self._address, no_picture_s, 0)

    def stop(self) -> None:
        """End the iteration. From any thread."""
        self._stopping = True
        self._answer.shut()

    def close(self) -> None:
        self._answer.close()

    def _next(self) -> list[tuple[bytes, int]] | None:
        """The pictures that have come whole, and when, once there is something to read; None at the end."""
        found: list[tuple[bytes, int]] = []
        taken, failure, until_ns = 0, "", None
        if self._failure and not self._stopping:
            raise self._failure
        try:
            while until_ns is None or (
                taken < MOST_AT_ONCE_BYTES and self._clock.now_ns() < until_ns and self._answer.waits
            ):
                self._answer.body.within(self._read_s)
                data = self._answer.response.read1(READ_BYTES)
                if not data:
                    return found or None
                taken += len(data)
                # The next read may have to wait for the rest of a TLS record, or of a chunk's length.
                came_ns = self._clock.now_ns()
                until_ns = until_ns or came_ns + round(MOST_AT_ONCE_S * 1e9)
                found += [(picture, came_ns) for picture in self._jpegs.add(data)]
        except TimeoutError:
            self._failure = silence(self._address, self._read_s)
        except ValueError as error:
            failure = str(error)
        except OSError:
            failure = "the connection was broken off"
        except http.client.HTTPException:
            failure = "the answer broke off, or is not as HTTP has it"
        if failure:
            self._failure = SourceError(Cause.NETWORK, f"{self._address.redacted}: {failure}")
        if self._failure and not found and not self._stopping:
            raise self._failure
        return found if found or not self._failure else None
