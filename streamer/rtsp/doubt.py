"""Whether a camera that says nothing is away: the old connection is read on while a new one is tried."""

from collections.abc import Mapping

from streamer.clock import Clock
from streamer.rtsp.dial import Dial
from streamer.rtsp.opening import Route
from streamer.rtsp.playing import Playing
from streamer.silence import Silence

# Once somebody answers, or says no, the old connection gets so long to speak: after a stall of the
# network what was held up comes a round trip later.
LAST_CHANCE_NS = 300_000_000
# Where nobody answers the network is away, and with it the reason for a new connection.
GIVE_UP_NS = 10_000_000_000
# A camera that answers over its own connection is there, and may have nothing to show: it sends less in
# the dark. So long it may do so.
ANSWERED_NS = 3_000_000_000
# Before anything is known of its rate, and before its first packet.
UNKNOWN_NS = 1_000_000_000


class Doubt:
    """Watches one connection's silence. Never blocks; used in one thread.

    `patience_ns` is how long a connection may take to answer a sign of life before its rate is known.
    `pictures` is called at each picture. `gave_up_ns` is how long nothing had come when it is over.
    """

    def __init__(
        self, playing: Playing, route: Route, clock: Clock, patience_ns: int, *, longest_ns: int
    ) -> None:
        self.gave_up_ns: int | None = None
        self._playing = playing
        self._route = route
        self._clock = clock
        self._patience_ns = patience_ns
        self._longest_ns = longest_ns  # without a first picture, though it answers
        self._silence = Silence()
        self._dial: Dial | None = None
        self._began_ns = 0  # when the doubt began
        self._settled_ns: int | None = None  # when the new connection was answered, or refused
        self._asked_ns: int | None = None
        self._answered = False  # to a sign of life, since then

    def picture(self, arrived_ns: int) -> None:
        """A picture came."""
        self._silence.heard(arrived_ns)

    @property
    def watched(self) -> dict[int, int]:
        return self._dial.watched if self._dial else {}

    @property
    def due_ns(self) -> int:
        """When to look again at the latest."""
        heard_ns = self._heard_ns
        if self._asked_ns is None and self._dial is None:
            return heard_ns + (self._silence.limit_ns or UNKNOWN_NS) + 1_000_000
        due_ns = self._clock.now_ns() + 50_000_000
        return min(due_ns, self._dial.due_ns) if self._dial and self._dial.watched else due_ns

    @property
    def _heard_ns(self) -> int:
        return self._playing.begun_ns if self._playing.heard_ns is None else self._playing.heard_ns

    def step(self, ready: Mapping[int, int]) -> None:
        """Look whether the camera is silent, and for how long."""
        now_ns = self._clock.now_ns()
        silent_ns = now_ns - self._heard_ns
        limit_ns = self._silence.limit_ns
        if silent_ns <= (limit_ns or UNKNOWN_NS):
            self._calm()
        elif self._asked_ns is None:
            self._asked_ns = self._began_ns = now_ns
            self._playing.session.keep_alive()
            if limit_ns is not None:
                self._dial = self._route.dial(now_ns)
        if self._asked_ns is None:
            return
        if limit_ns is None:
            over = self._over_at_first(silent_ns, now_ns)
        else:
            over = self._over(ready, silent_ns, now_ns)
        if over:
            self.gave_up_ns = silent_ns

    def _over_at_first(self, silent_ns: int, now_ns: int) -> bool:
        assert self._asked_ns is not None
        if not self._playing.session.asked:
            if now_ns - self._asked_ns > UNKNOWN_NS:
                self._asked_ns = now_ns
                self._playing.session.keep_alive()
            return silent_ns > self._longest_ns
        return now_ns - self._asked_ns > self._patience_ns - UNKNOWN_NS

    def _over(self, ready: Mapping[int, int], silent_ns: int, now_ns: int) -> bool:
        self._answered |= not self._playing.session.asked
        if self._answered:
            self._hang_up()
            limit_ns = self._silence.limit_ns or 0
            return silent_ns > max(ANSWERED_NS, 2 * limit_ns)
        if self._dial is None:
            return True
        if self._settled_ns is None:
            self._dial.step(ready, now_ns)
            if self._dial.answered or self._dial.error:
                self._settled_ns = now_ns
            return now_ns - self._began_ns > GIVE_UP_NS
        return now_ns - self._settled_ns > LAST_CHANCE_NS

    def _calm(self) -> None:
        self._asked_ns, self._answered = None, False
        self._hang_up()

    def _hang_up(self) -> None:
        if self._dial:
            if self._dial.answered:
                self._dial.answered.close()
            self._dial.close()
        self._dial = self._settled_ns = None

    close = _hang_up
