"""Compressed pictures as they come, counted: nothing is kept but sums."""

from dataclasses import dataclass

_S = 1_000_000_000
# RFC 3550, section 6.4.1: each picture's share in the jitter. It means something after so many.
_JITTER_SHARE, _JITTER_AFTER = 16, 32
# From one picture to the next: further back or ahead, time stamps have jumped, as where a clip begins anew.
_JUMP_NS = _S
_ORDER_KNOWN_AFTER = 10  # pictures: x264 begins with its B-frames in the second


@dataclass(slots=True)
class Timeline:
    """When pictures were, on one clock; keyframes among them."""

    count: int = 0
    first_ns: int = 0
    last_ns: int = 0
    keyframes: int = 0
    longest_ns: int | None = None  # from one keyframe to the next
    _key_ns: int | None = None
    _since_ns: int = 0  # no keyframe since then, until …
    _until_ns: int = 0
    _empty_ns: int = 0  # the longest stretch without a keyframe that is over

    def add(self, at_ns: int, *, keyframe: bool, jumped: bool = False) -> None:
        """The next picture. `jumped`: how far it is from the one before says nothing."""
        if not self.count:
            self.first_ns = self.last_ns = at_ns
        if jumped or not self.count:
            self._empty_ns = max(self._empty_ns, self._until_ns - self._since_ns)
            self._key_ns, self._since_ns, self._until_ns = None, at_ns, at_ns
        self.count += 1
        self.last_ns = max(self.last_ns, at_ns)
        self._until_ns = max(self._until_ns, at_ns)
        if not keyframe:
            return
        self.keyframes += 1
        self._empty_ns = max(self._empty_ns, at_ns - self._since_ns)
        if self._key_ns is not None:
            self.longest_ns = max(self.longest_ns or 0, at_ns - self._key_ns)
        self._key_ns = self._since_ns = at_ns

    @property
    def span_s(self) -> float:
        """From the first picture to the last."""
        return (self.last_ns - self.first_ns) / _S

    @property
    def keyframe_every_s(self) -> float | None:
        return None if self.longest_ns is None else self.longest_ns / _S

    @property
    def no_keyframe_s(self) -> float:
        """The longest time without a keyframe, the time since the last one included."""
        return max(self._empty_ns, self._until_ns - self._since_ns) / _S


class Flow:
    """One stream's compressed pictures. Used in one thread, or under a lock.

    `live`: they come one by one in real time, so that their stamps can be held against the clock.
    """

    def __init__(self, *, live: bool) -> None:
        self.packets = 0
        self.size_bytes = 0
        self.live = live
        self._arrived = Timeline()
        self._shown = Timeline()
        self._before_pts_ns: int | None = None
        self._before_arrived_ns = 0
        self._reordered = 0
        self._before: tuple[int, int] | None = None  # arrival and decoding time
        self._jitter_ns = 0.0
        self._judged = 0  # for the jitter

    def add(
        self, size_bytes: int, *, keyframe: bool, arrived_ns: int, pts_ns: int | None, dts_ns: int | None
    ) -> None:
        """One compressed picture."""
        self.packets += 1
        self.size_bytes += size_bytes
        self._arrived.add(arrived_ns, keyframe=keyframe)
        if pts_ns is not None:
            self._shown.add(pts_ns, keyframe=keyframe, jumped=self._jumped(pts_ns, arrived_ns))
            if self._before_pts_ns is not None and pts_ns < self._before_pts_ns:
                self._reordered += 1
            self._before_pts_ns, self._before_arrived_ns = pts_ns, arrived_ns
        if dts_ns is not None:
            self._vary(arrived_ns, dts_ns)

    def _jumped(self, pts_ns: int, arrived_ns: int) -> bool:
        """Back, or where they come in real time, further ahead than time itself."""
        if self._before_pts_ns is None:
            return False
        step_ns = pts_ns - self._before_pts_ns
        ahead = self.live and step_ns > max(_JUMP_NS, 2 * (arrived_ns - self._before_arrived_ns))
        return ahead or step_ns < -_JUMP_NS

    def _vary(self, arrived_ns: int, dts_ns: int) -> None:
        if self._before is not None:
            late_ns = (arrived_ns - self._before[0]) - (dts_ns - self._before[1])
            self._jitter_ns += (abs(late_ns) - self._jitter_ns) / _JITTER_SHARE
            self._judged += 1
        self._before = arrived_ns, dts_ns

    @property
    def stamps_off(self) -> bool:
        """True where time stamps run more than twice too fast or too slow. A burst at the start is fine."""
        arrived_s, shown_s = self._arrived.span_s, self._shown.span_s
        if not self.live or arrived_s < 2 or self._shown.count < self._arrived.count / 2:
            return False
        return not arrived_s / 2 < shown_s < arrived_s * 2 + 10

    @property
    def timeline(self) -> Timeline:
        """By the stamps where they can be believed: packets may come in bursts."""
        stamped = self._shown.count > self._arrived.count / 2 and self._shown.span_s > 0
        return self._shown if stamped and not self.stamps_off else self._arrived

    @property
    def span_s(self) -> float:
        """How much of it was seen; 0 where that cannot be known."""
        return 0.0 if self.by_disk else self.timeline.span_s

    @property
    def by_disk(self) -> bool:
        """True where there are no stamps, and packets come as fast as the disk is."""
        return not self.live and self.timeline is self._arrived

    @property
    def fps(self) -> float | None:
        times = self.timeline
        if self.by_disk:
            return None
        return (times.count - 1) / times.span_s if times.count > 1 and times.span_s > 0 else None

    @property
    def bits_per_s(self) -> float | None:
        fps = self.fps
        return self.size_bytes * 8 / self.packets * fps if fps and self.packets else None

    @property
    def b_frames(self) -> bool | None:
        if self._reordered > 1:  # once may be a jump
            return True
        return False if self._shown.count >= _ORDER_KNOWN_AFTER and self._shown.span_s > 0 else None

    @property
    def jitter_s(self) -> float | None:
        if not self.live or self._judged < _JITTER_AFTER or self.stamps_off:
            return None
        return self._jitter_ns / _S
