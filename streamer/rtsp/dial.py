"""Connecting to a camera that may be away: one patient attempt, and quick ones beside it."""

import itertools
import ssl
from collections.abc import Mapping, Sequence

from streamer.rtsp.connection import Connection
from streamer.rtsp.failures import Unreadable
from streamer.rtsp.message import request
from streamer.rtsp.place import Place, Target

# A packet that is lost while connecting is sent again by TCP after 1, 3, 7 s: a camera that comes back
# would be found as late as that. A new attempt finds it at once.
QUICK_NS = 400_000_000
# A camera that takes longer than that to answer is found by the attempt that is let alone.
PATIENT_NS = 5_000_000_000


class _Attempt:
    """One connection that is being made: TCP, TLS, and an answer to OPTIONS."""

    def __init__(self, connection: Connection, now_ns: int) -> None:
        self.connection = connection
        self.begun_ns = now_ns
        self.asked = False


class Dial:
    """Attempts until one is answered; two at most are open. Never blocks; used in one thread.

    `answered` is the connection that was, with the answer among its messages; it is the caller's then.
    `error` is why an attempt came to an end; `failed` the same, once none is open any more.
    """

    def __init__(
        self, place: Place, targets: Sequence[Target], secure: ssl.SSLContext | None, now_ns: int
    ) -> None:
        self.answered: Connection | None = None
        self.failed: OSError | Unreadable | None = None
        self.error: OSError | Unreadable | None = None
        self._place = place
        self._targets = itertools.cycle(targets)
        self._untried = len(targets)
        self._secure = secure
        self._attempts: list[_Attempt] = []  # the patient one, and a quick one
        self._begun_ns = now_ns  # the newest of them
        self._begin(now_ns)

    @property
    def watched(self) -> dict[int, int]:
        """File descriptors, and what to poll them for."""
        return {one.connection.fileno(): one.connection.wants for one in self._attempts}

    @property
    def due_ns(self) -> int:
        """When to go on at the latest."""
        return self._begun_ns + QUICK_NS

    def step(self, ready: Mapping[int, int], now_ns: int) -> None:
        """Go on with what is ready, and begin anew what takes too long."""
        for one in list(self._attempts):
            if one.connection.fileno() in ready and self.answered is None:
                self._advance(one, now_ns)
        if self.answered is not None:
            self._drop([one for one in self._attempts if one.connection is not self.answered])
            self._attempts.clear()
        elif self._attempts and now_ns >= self.due_ns:
            self._drop([one for one in self._attempts if now_ns - one.begun_ns >= PATIENT_NS])
            self._drop(self._attempts[1:])
            self._begin(now_ns)

    def close(self) -> None:
        self._drop(list(self._attempts))
        self.error = self.failed = None  # raised, they would hold on to who holds this

    def _begin(self, now_ns: int) -> None:
        self._untried -= 1
        self._begun_ns = now_ns
        try:
            self._attempts.append(
                _Attempt(Connection(next(self._targets), self._place.host, self._secure), now_ns)
            )
        except OSError as error:
            self._ended(error, now_ns)

    def _advance(self, one: _Attempt, now_ns: int) -> None:
        connection = one.connection
        try:
            if not one.asked:
                if not connection.establish():
                    return
                headers = {"CSeq": "1", "User-Agent": "freshframe"}
                connection.send(request("OPTIONS", self._place.url, headers))
                one.asked = True
                return
            connection.flush()
            connection.read(None)
            if connection.messages:
                self.answered = connection
            elif connection.ended:
                raise ConnectionResetError
        except (OSError, Unreadable) as error:
            self._drop([one])
            self._ended(error, now_ns)

    def _ended(self, error: OSError | Unreadable, now_ns: int) -> None:
        self.error = error
        if self._attempts:  # another one may still be answered
            return
        if self._untried > 0 and isinstance(error, OSError):
            self._begin(now_ns)
        else:
            self.failed = error

    def _drop(self, attempts: Sequence[_Attempt]) -> None:
        for one in attempts:
            one.connection.close()
            self._attempts.remove(one)
