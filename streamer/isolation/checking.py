"""Pictures as the child tells of them, or that what it says makes no sense."""

from streamer.contracts import Captured
from streamer.isolation import planes
from streamer.isolation.allowance import Allowance
from streamer.isolation.messages import Shot
from streamer.isolation.segment import Reading

# Pictures seen and skipped: no camera has so many, and few computers could count them wrong for long.
MOST_AT_ONCE, MOST_PER_S = 10_000, 10_000


class Checking:
    """One connection's pictures, in order. `asked_ns`, monotonic: when it was asked for."""

    def __init__(self, asked_ns: int) -> None:
        self._asked_ns = asked_ns
        self._pictures = Allowance(MOST_AT_ONCE, MOST_PER_S)
        self._number = 0

    def captured(self, shot: Shot, slots: Reading, now_ns: int) -> Captured:
        """The picture of a message. Raises ValueError for what cannot be.

        `captured_ns` may go back: decoders hand pictures out in another order than they came in.
        """
        if planes.bytes_of(shot.form) > slots.picture_bytes:
            raise ValueError("a picture larger than its slot")
        if shot.number <= self._number:
            raise ValueError(f"picture {shot.number} after picture {self._number}")
        if not self._asked_ns <= shot.captured_ns <= now_ns:
            what = "before it was asked for" if shot.captured_ns < self._asked_ns else "in the future"
            raise ValueError(f"a picture captured {what}")
        left_out = shot.skipped + shot.undecoded
        if not self._pictures.take(1 + left_out, now_ns):
            raise ValueError(f"{left_out} pictures skipped; no camera has more than {MOST_PER_S} a second")
        self._number = shot.number
        return Captured(
            picture=planes.shared_picture(slots, shot.number, shot.form),
            captured_ns=shot.captured_ns,
            pts_ns=shot.pts_ns,
            source_ns=shot.source_ns,
            keyframe=shot.keyframe,
            skipped=shot.skipped,
            segmented=shot.segmented,
            damaged=shot.damaged,
            undecoded=shot.undecoded,
        )
