"""The talk with a camera, from DESCRIBE to TEARDOWN (RFC 2326)."""

import contextlib
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamer.clock import Clock
from streamer.rtsp.auth import Challenge, Login, best_challenge
from streamer.rtsp.connection import Connection, OnPacket
from streamer.rtsp.failures import Redirected, Refused, Silent, Unreadable, Unsupported
from streamer.rtsp.message import Message, request
from streamer.rtsp.place import Place
from streamer.rtsp.sdp import Track, base_of, read_track
from streamer.rtsp.udp import Ports
from streamer.rtsp.waiting import Waiting

# RFC 2326, section 12.37: where a camera names no time.
TIMEOUT_S = 60
SHORTEST_TIMEOUT_S, LONGEST_TIMEOUT_S = 2, 3600


@dataclass(frozen=True, slots=True)
class Channels:
    """Which interleaved channels hold RTP and RTCP."""

    rtp: int
    rtcp: int


class Session:
    """One camera's stream over one connection. Raises OSError, Stopped, and what failures.py has."""

    def __init__(self, connection: Connection, place: Place, waiting: Waiting, clock: Clock) -> None:
        self.connection = connection
        self.ports: Ports | None = None
        self.channels: Channels | None = None
        self._place = place
        self._waiting = waiting
        self._clock = clock
        self._login = Login(place.user, place.password) if place.user is not None else None
        self._cseq = 1
        self._id = ""
        self._url = place.url
        self._timeout_s = TIMEOUT_S
        self._methods = connection.messages.pop(0).header("public").upper() if connection.messages else ""
        self._asked: str | None = None  # the keep-alive that is not answered yet
        self._asked_cseq = 0
        self._again = False  # the keep-alive under way is a second try
        self.forgotten = False  # the camera says so, however we ask

    def set_up(self, transport: str, deadline_ns: Callable[[], int]) -> Track:
        """DESCRIBE and SETUP, each until its deadline. `transport` is tcp or udp."""
        described = self._ask("DESCRIBE", self._place.url, {"Accept": "application/sdp"}, deadline_ns())
        kind = described.header("content-type").partition(";")[0].strip().lower()
        if kind not in ("application/sdp", ""):
            raise Unreadable("DESCRIBE is answered with something else than SDP")
        base = base_of(
            described.header("content-base"), described.header("content-location"), self._place.url
        )
        track = read_track(described.body, base)
        self._url = track.session_url
        self._agree(track, transport, deadline_ns())
        return track

    def play(self, deadline_ns: int, on_packet: OnPacket) -> None:
        """PLAY. Packets may come before its answer does."""
        self._ask("PLAY", self._url, {"Range": "npt=0.000-"}, deadline_ns, on_packet)

    @property
    def keep_alive_s(self) -> float:
        """How often the camera wants to hear something."""
        return self._timeout_s / 3  # so that one may be lost

    def keep_alive(self, *, again: bool = False) -> None:
        """Say that we are still there. The answer comes among the messages."""
        self._again = again
        method = "GET_PARAMETER" if "GET_PARAMETER" in self._methods else "OPTIONS"
        self._send(method, self._url, {})
        self._asked, self._asked_cseq = method, self._cseq

    @property
    def asked(self) -> bool:
        """True while a keep-alive is not answered yet."""
        return self._asked is not None

    def heard(self) -> None:
        """Look at what the camera answered to keep-alives; what a second try may put right is tried again."""
        messages, self.connection.messages = self.connection.messages, []
        for message in messages:
            if message.cseq not in (self._asked_cseq, None):
                continue
            if message.status < 200:
                continue
            method, self._asked = self._asked, None
            if message.status < 300:
                self.forgotten = False
            elif message.status == 401 and self._login:
                challenge = self._best(message.headers.get("www-authenticate", ()))
                if challenge:
                    self._login.asked(challenge)
                    if not self._again:
                        self.keep_alive(again=True)
            elif message.status == 454 and self._again:
                self.forgotten = True
            elif message.status == 454:  # some know sessions in one of them only
                self._methods = "" if method == "GET_PARAMETER" else "GET_PARAMETER"
                self.keep_alive(again=True)
            elif message.status >= 400 and method == "GET_PARAMETER":
                self._methods = ""  # offered, but not served: some do that

    def close(self) -> None:
        """Say goodbye, without waiting for an answer."""
        with contextlib.suppress(OSError):
            if self._id and not self.connection.ended:
                self._send("TEARDOWN", self._url, {})
        self.connection.close()
        if self.ports:
            self.ports.close()

    def _agree(self, track: Track, transport: str, deadline_ns: int) -> None:
        if transport == "udp":
            self.ports = Ports(*self.connection.here, self.connection.peer)
            wanted = "RTP/AVP;unicast;client_port={}-{}".format(*self.ports.numbers)
        else:
            wanted = "RTP/AVP/TCP;unicast;interleaved=0-1"
        try:
            answered = self._ask("SETUP", track.url, {"Transport": wanted}, deadline_ns)
        except Refused as refused:
            if refused.status != 404 or track.other_url == track.url:
                raise
            # RFC 2326 counts from the description's base; these count from the session's own address.
            answered = self._ask("SETUP", track.other_url, {"Transport": wanted}, deadline_ns)
        told, _, rest = answered.header("session").partition(";")
        if not re.fullmatch(r"[!-:<-~]{1,512}", told.strip()):
            raise Unreadable("SETUP is answered without a session")
        self._id = told.strip()
        if match := re.search(r"timeout\s*=\s*([0-9]{1,6})", rest, re.IGNORECASE):
            self._timeout_s = min(max(int(match[1]), SHORTEST_TIMEOUT_S), LONGEST_TIMEOUT_S)
        agreed = answered.header("transport")
        tcp = "TCP" in agreed.upper() or "interleaved" in agreed
        if tcp != (self.ports is None):
            raise Unsupported("the camera sends by another transport than was asked for")
        if self.ports:
            if match := re.search(r"source\s*=\s*([0-9A-Fa-f.:]{2,45})", agreed):
                with contextlib.suppress(ValueError):  # a name: it is not looked up for that
                    self.ports.allow(str(ipaddress.ip_address(match[1])))
            self.ports.punch(_numbers("server_port", agreed, 65_535))
        else:
            self.channels = Channels(*(_numbers("interleaved", agreed, 255) or (0, 1)))

    def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        deadline_ns: int,
        on_packet: OnPacket | None = None,
    ) -> Message:
        """The camera's answer, when it is a good one."""
        left = 2  # a challenge, and a nonce that is too old
        while True:
            self._send(method, url, headers)
            message = self._answer(deadline_ns, on_packet)
            if 200 <= message.status < 300:
                return message
            if 300 <= message.status < 400 and message.header("location") and method == "DESCRIBE":
                raise Redirected(message.status, message.header("location"))
            if message.status != 401:
                raise Refused(message.status)
            challenges = message.headers.get("www-authenticate", ())
            challenge = self._best(challenges)
            if self._login is None:
                raise Refused(401, asked=True)
            if challenge is None and best_challenge(challenges):
                raise Refused(401, untold=True)
            if challenge is None and challenges:
                raise Unsupported("it asks for the password in a way that is not known here")
            if challenge is None or left == 0 or (left == 1 and not challenge.stale):
                raise Refused(401)
            self._login.asked(challenge)
            left -= 1

    def _best(self, lines: Sequence[str]) -> Challenge | None:
        return best_challenge(lines, digest_only=self._place.digest_only)

    def _send(self, method: str, url: str, headers: dict[str, str]) -> None:
        self._cseq += 1
        lines = {"CSeq": str(self._cseq), "User-Agent": "freshframe"}
        if self._id:
            lines["Session"] = self._id
        login = self._login.header(method, url) if self._login else None
        if login:
            lines["Authorization"] = login
        self.connection.send(request(method, url, lines | headers))

    def _answer(self, deadline_ns: int, on_packet: OnPacket | None) -> Message:
        connection = self.connection
        while True:
            while connection.messages:
                # One request at a time: whatever number it has, it is the answer.
                message = connection.messages.pop(0)
                if message.status >= 200:
                    return message
            if connection.ended:
                raise ConnectionResetError
            left_s = (deadline_ns - self._clock.now_ns()) / 1e9
            if left_s <= 0:
                raise Silent(answered=True)
            if self._waiting.wait({connection.fileno(): connection.wants}, left_s):
                connection.flush()
                connection.read(on_packet)


def _numbers(name: str, text: str, most: int) -> tuple[int, int] | None:
    match = re.search(rf"{name}\s*=\s*([0-9]{{1,5}})(?:\s*-\s*([0-9]{{1,5}}))?", text, re.IGNORECASE)
    if match is None:
        return None
    first = int(match[1])
    second = int(match[2]) if match[2] else first + 1
    return (first, second) if max(first, second) <= most else None
