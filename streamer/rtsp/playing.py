"""A camera that plays: packets in, access units with their times out, reports and signs of life back."""

import secrets
from collections.abc import Mapping

from streamer.clock import Clock
from streamer.rtsp.failures import Refused, Unreadable
from streamer.rtsp.nal import PACKINGS
from streamer.rtsp.order import WAIT_NS, Order
from streamer.rtsp.rtcp import Goodbye, Reception, SenderReport, read_reports, receiver_report
from streamer.rtsp.rtp import Packet, read_packet
from streamer.rtsp.sdp import Track
from streamer.rtsp.session import Session
from streamer.rtsp.timing import Arrival, Timing
from streamer.rtsp.units import AccessUnit, Assembly

REPORT_EVERY_NS = 5_000_000_000  # RFC 3550, section 6.2
# Of pictures that nobody takes, while PLAY is not answered yet. Each costs a little beside its bytes.
MOST_WAITING_BYTES, UNIT_BYTES = 32_000_000, 256
# A camera that says it has forgotten the session is believed once nothing comes for so long.
FORGOTTEN_NS = 1_000_000_000
# RFC 5761, section 4: what stands where an RTP packet has its marker and payload type.
RTCP_TYPES = range(192, 224)
_S = 1_000_000_000


class Playing:
    """One connection's stream, until it ends. Never blocks; used in one thread.

    Raises OSError, Unreadable, Unsupported, Refused.
    """

    def __init__(self, session: Session, track: Track, clock: Clock) -> None:
        self.session = session
        self.track = track
        self._arrivals: list[Arrival] = []  # what has come and was not taken yet
        self._waiting_bytes = 0
        self.ended = False
        self.lost = 0  # packets that never came
        self.begun_ns = clock.now_ns()
        self.heard_ns: int | None = None  # the last video packet
        self._clock = clock
        self._ssrc: int | None = None
        self._newcomer: Packet | None = None  # of another sender, and nothing of ours came since
        self._name = secrets.randbits(32)
        self._order: Order[Packet] = Order(WAIT_NS if session.ports else 0)
        self._assembly = Assembly(PACKINGS[track.codec], track.sets)
        self._timing = Timing(track.clock_hz)
        self._missing = 0
        self._report: tuple[SenderReport, int] | None = None  # and when it came
        self._reported = 0, 0  # expected and received packets at our last report
        self._report_ns = self.begun_ns + REPORT_EVERY_NS
        self._alive_ns = self.begun_ns + round(session.keep_alive_s * _S)

    @property
    def watched(self) -> dict[int, int]:
        """File descriptors, and what to poll them for."""
        connection, ports = self.session.connection, self.session.ports
        return {connection.fileno(): connection.wants} | (ports.watched if ports else {})

    @property
    def due_ns(self) -> int:
        """When `tick` has something to do."""
        held_ns = self._order.due_ns
        due_ns = min(self._report_ns, self._alive_ns)
        return due_ns if held_ns is None else min(due_ns, held_ns)

    def take(self) -> list[Arrival]:
        """What has come since the last time."""
        taken, self._arrivals, self._waiting_bytes = self._arrivals, [], 0
        return taken

    @property
    def waiting(self) -> bool:
        """True where there is something to take."""
        return bool(self._arrivals)

    def read(self, ready: Mapping[int, int]) -> None:
        """Take in all that has come."""
        session = self.session
        connection = session.connection
        if session.ports:
            if session.ports.rtp.fileno() in ready:
                for data in session.ports.read(session.ports.rtp):
                    self._rtp(data)
            if session.ports.rtcp.fileno() in ready:
                for data in session.ports.read(session.ports.rtcp):
                    self._rtcp(data)
        if connection.fileno() in ready:
            connection.flush()
            connection.read(self.on_packet)
            if connection.messages:
                session.heard()
            self.ended |= connection.ended

    def tick(self) -> None:
        """Do what is due: give up waiting for datagrams, report, say that we are still there."""
        now_ns = self._clock.now_ns()
        for lost, packet in self._order.overdue(now_ns):
            self._in_order(packet, lost, now_ns)
        if now_ns >= self._report_ns:
            self._report_ns = now_ns + REPORT_EVERY_NS
            self._send_report(now_ns)
        if now_ns >= self._alive_ns:
            self._alive_ns = now_ns + round(self.session.keep_alive_s * _S)
            self.session.keep_alive()
        heard_ns = self.begun_ns if self.heard_ns is None else self.heard_ns
        if self.session.forgotten and now_ns - heard_ns > FORGOTTEN_NS:
            raise Refused(454)

    def on_packet(self, channel: int, data: memoryview) -> None:
        """An interleaved packet."""
        channels = self.session.channels
        if channels is None:
            return
        if channel == channels.rtp:
            self._rtp(data)
        elif channel == channels.rtcp:
            self._rtcp(data)

    def _rtp(self, data: memoryview) -> None:
        packet = read_packet(data)
        if packet is None:
            return
        if data[1] in RTCP_TYPES and packet.payload_type != self.track.payload_type:
            self._rtcp(data)
            return
        now_ns = self._clock.now_ns()
        if packet.ssrc != self._ssrc and not self._follows(packet, now_ns):
            return
        self._newcomer = None
        self._hand_on(packet, now_ns)

    def _follows(self, packet: Packet, now_ns: int) -> bool:
        """True where another sender's packet is the stream from now on: two in a row (RFC 3550, A.1)."""
        if packet.payload_type != self.track.payload_type:
            return False
        before = self._newcomer
        if self._ssrc is not None:
            follows = before and (before.ssrc, before.sequence + 1 & 0xFFFF) == (packet.ssrc, packet.sequence)
            if not follows:
                self._newcomer = packet._replace(payload=bytes(packet.payload))
                return False
        self._begin_sender(packet.ssrc)
        if before:
            self._hand_on(before, now_ns)
        return True

    def _hand_on(self, packet: Packet, now_ns: int) -> None:
        order = self._order
        self.heard_ns = now_ns
        if packet.sequence != order.next:  # it may be held longer than its buffer is good
            packet = packet._replace(payload=bytes(packet.payload))
        for lost, one in order.add(packet.sequence, packet, now_ns):
            self._in_order(one, lost, now_ns)

    def _begin_sender(self, ssrc: int) -> None:
        if self._ssrc is not None:
            self._collect(self._assembly.cut())
            self._order = Order(WAIT_NS if self.session.ports else 0)
            self._reported = 0, 0
            self._timing.begin_anew()
        self._ssrc = ssrc

    def _in_order(self, packet: Packet, lost: int, now_ns: int) -> None:
        self.lost += lost
        self._missing += lost
        if packet.payload_type != self.track.payload_type:
            return
        missing, self._missing = self._missing, 0
        done = self._assembly.add(
            packet.payload, packet.stamp, marker=packet.marker, lost=missing, now_ns=now_ns
        )
        if done:
            self._collect(done)

    def _collect(self, units: list[AccessUnit]) -> None:
        for unit in units:
            self._arrivals.append(self._timing.arrival(unit, self._ssrc))
            self._waiting_bytes += len(unit.data) + UNIT_BYTES
            if self._waiting_bytes > MOST_WAITING_BYTES:
                raise Unreadable("pictures without end, and PLAY is not answered")

    def _rtcp(self, data: memoryview) -> None:
        for report in read_reports(data):
            if isinstance(report, Goodbye):
                self.ended |= self._ssrc in report.ssrcs
            elif self._ssrc in (None, report.ssrc):
                self._report = report, self._clock.now_ns()
                self._timing.reported(report)

    def _send_report(self, now_ns: int) -> None:
        data = receiver_report(self._name, b"freshframe", self._reception(now_ns))
        if self.session.ports:
            self.session.ports.report(data)
        elif self.session.channels:
            head = bytes((0x24, self.session.channels.rtcp)) + len(data).to_bytes(2, "big")
            self.session.connection.send(head + data)

    def _reception(self, now_ns: int) -> Reception | None:
        order = self._order
        if self._ssrc is None or not order.expected:
            return None
        expected, received = order.expected - self._reported[0], order.received - self._reported[1]
        self._reported = order.expected, order.received
        fraction = min(max(expected - received, 0) * 256 // expected, 255) if expected > 0 else 0
        middle, delay = 0, 0
        if self._report:
            middle = self._report[0].ntp_middle
            delay = (now_ns - self._report[1]) * 65_536 // _S
        lost = order.expected - order.received
        return Reception(self._ssrc, fraction, lost, order.highest, 0, middle, delay)
