"""From an address to a camera that plays, within a time."""

import contextlib
import ssl
from dataclasses import dataclass, field

from streamer.clock import Clock
from streamer.rtsp.connection import Connection, tls
from streamer.rtsp.dial import Dial
from streamer.rtsp.failures import Redirected, Refused, Silent
from streamer.rtsp.place import Place, Target, look_up
from streamer.rtsp.playing import Playing
from streamer.rtsp.session import Session
from streamer.rtsp.waiting import Waiting

MOST_REDIRECTS = 3
_S = 1_000_000_000


@dataclass(slots=True)
class Route:
    """How a camera was reached last: a name that cannot be looked up just now still leads there."""

    place: Place
    targets: list[Target] = field(default_factory=list)
    # Addresses that are known are tried first: looking up a name may block for long.
    _look_up: bool = True
    _looked_up: bool = False  # the last time
    _secure: ssl.SSLContext | None = None

    def copy(self) -> "Route":
        """The same, for another thread; what it knows it tries first."""
        return Route(self.place, list(self.targets), not self.targets)

    def failed(self) -> None:
        """It led to no camera that plays: next time the name is looked up, if it was not this time."""
        self._look_up = not (self._looked_up and self.targets)

    def look_up(self) -> None:
        """Look the name up if that is due. Raises OSError where it has never been known."""
        self._looked_up, self._look_up = self._look_up, False
        if not self._looked_up:
            return
        try:
            self.targets = look_up(self.place)
        except OSError:
            if not self.targets:
                raise

    def dial(self, now_ns: int) -> Dial:
        """Begin to connect."""
        if self.place.secure and self._secure is None:
            self._secure = tls()
        return Dial(self.place, self.targets, self._secure, now_ns)


def open_camera(
    route: Route,
    transport: str,
    waiting: Waiting,
    clock: Clock,
    *,
    connect_s: float,
    in_all_s: float,
    each_s: float,
) -> tuple[Playing, Route]:
    """Connect and play. The first answer may take `connect_s`, each other one `each_s`, all of it `in_all_s`.

    With it the route that led there, which is another one after a redirect. Raises OSError, Stopped, and
    what failures.py has.
    """
    begun_ns = clock.now_ns()
    end_ns, connect_end_ns = begun_ns + round(in_all_s * _S), begun_ns + round(connect_s * _S)

    def deadline_ns() -> int:
        return min(end_ns, clock.now_ns() + round(each_s * _S))

    for redirects_left in reversed(range(MOST_REDIRECTS + 1)):
        route.look_up()
        connection = _connect(route, waiting, clock, connect_end_ns)
        session = Session(connection, route.place, waiting, clock)
        with contextlib.ExitStack() as undo:
            undo.callback(session.close)
            try:
                track = session.set_up(transport, deadline_ns)
            except Redirected as redirected:
                place = route.place.elsewhere(redirected.location)
                if place is None or not redirects_left:
                    raise Refused(redirected.status) from None
                route = Route(place)
                continue
            playing = Playing(session, track, clock)
            session.play(deadline_ns(), playing.on_packet)
            undo.pop_all()
            return playing, route
    raise AssertionError("the last redirect is refused")


def _connect(route: Route, waiting: Waiting, clock: Clock, end_ns: int) -> Connection:
    dial = route.dial(clock.now_ns())
    with contextlib.closing(dial):
        while dial.answered is None:
            if dial.failed is not None:
                raise dial.failed
            now_ns = clock.now_ns()
            if now_ns >= end_ns:
                raise dial.error or Silent
            ready = waiting.wait(dial.watched, (min(dial.due_ns, end_ns) - now_ns) / _S)
            dial.step(ready, clock.now_ns())
        return dial.answered
