"""Motion JPEG over HTTP: one picture behind the other in an answer that never ends.

FFmpeg holds each picture until the next one begins where the server tells no length, and memory for as
much as comes.
"""

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
        self._stopping = False
        answer.body.each(read_s)

    @property
    def damaged(self) -> int:
        """Pictures that did not come whole, or could not be decoded."""
        return self._decoding.damaged + self._jpegs.broken

    def pictures(self, no_picture_s: float) -> Iterator[tuple[Captured, int]]:
        """What comes, and how many bytes it was; ends when the server does. Raises SourceError."""
        last_ns = self._clock.now_ns()
        while (found := self._next()) is not None:
            captured_ns = self._clock.now_ns()
            skipped = len(found) - 1 if len(found) > MOST_TOGETHER else 0
            for data in found[skipped:]:
                for frame in self._decoding.decode_known(av.Packet(data), Known(captured_ns, True)):
                    last_ns = captured_ns
                    yield replace(self._decoding.captured(frame, None), skipped=skipped), len(data)
                    skipped = 0
            if captured_ns - last_ns > no_picture_s * 1e9:
                raise no_picture(self._address, no_picture_s, 0)

    def stop(self) -> None:
        """End the iteration. From any thread."""
        self._stopping = True
        self._answer.shut()

    def close(self) -> None:
        self._answer.close()

    def _next(self) -> list[bytes] | None:
        """The pictures that have come whole, once there is something to read; None at the end."""
        found: list[bytes] = []
        taken, failure = 0, ""
        try:
            while not taken or (taken < MOST_AT_ONCE_BYTES and self._answer.waits):
                data = self._answer.response.read1(READ_BYTES)
                if not data:
                    return found or None
                taken += len(data)
                found += self._jpegs.add(data)
        except TimeoutError:
            raise silence(self._address, self._read_s) from None
        except ValueError as error:
            failure = str(error)
        except OSError:
            failure = "the connection was broken off"
        if failure and not self._stopping:
            raise SourceError(Cause.NETWORK, f"{self._address.redacted}: {failure}")
        return None if failure else found
