"""Results and health over ZeroMQ: whoever subscribes gets them, and nobody can slow the publisher down."""

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, get_args

import zmq

from sinks.curve import server_keys
from sinks.endpoint import leave, listen, parse_endpoint
from streamer.errors import ConfigError, SinkError
from streamer.health import Health
from streamer.result import Result
from streamer.wire import Encoding, encode, health_message, message, topic

# Messages for each subscriber: room for one of each of 128 cameras, twice, for libzmq learns of places
# that are free again by the half queue. More would only be older: a full queue keeps the oldest.
_QUEUED = 256
_LINGER_MS = 150  # what is on its way at the end gets out
_HANDSHAKE_MS = 3000  # who connects and says nothing is cut off
_LONGEST_IN = 1024  # bytes: subscriptions and handshakes are short
_DET, _HEALTH = b"det.", b"health."
_HEARD_AT_ONCE = 1000  # who floods us with subscriptions must not hold up results


class Publisher:
    """Publishes results and the cameras' health, as messages of `streamer.wire`.

    A subscriber that reads too slowly loses messages and can tell by `seq`; `Subscriber` counts them
    and always yields the newest. Made anywhere, then used in one thread.
    """

    takes = (Result, Health)

    def __init__(
        self,
        endpoint: str,
        *,
        encoding: Encoding = "json",
        insecure: bool = False,
        curve: Mapping[str, Any] | None = None,
    ) -> None:
        """Will listen on `tcp://HOST:PORT` (port 0 or `*`: any free one) or `ipc://PATH`.

        `curve` holds `secret_key` and `clients`, the public keys that may connect (Z85). Without it only
        this machine is served, unless `insecure` lets anybody in. Raises ConfigError.
        """
        self._endpoint = parse_endpoint(endpoint)
        if encoding not in get_args(Encoding):
            raise ConfigError(f"encoding {encoding!r}: allowed are {', '.join(get_args(Encoding))}")
        self._keys = None if curve is None else server_keys(curve)
        if not (self._endpoint.on_this_machine or self._keys or insecure):
            raise ConfigError(
                f"ZeroMQ endpoint {endpoint} can be reached from other machines: give keys (curve), "
                "or allow anybody to read (insecure), or listen on 127.0.0.1"
            )
        self._encoding: Encoding = encoding
        self._seq: Counter[str] = Counter()
        self._health_seq: Counter[str] = Counter()
        self._prefixes: set[bytes] = set()
        self._topics: dict[str, bytes | None] = {}  # by camera; None: nobody wants it
        self._health_topics: dict[str, bytes | None] = {}
        self._socket: zmq.Socket[bytes] | None = None
        self._opened = ExitStack()
        #: Where it listens; once entered, with the port that the system chose.
        self.address = endpoint

    def __enter__(self) -> Self:
        """Listen. Raises SinkError: in use, not permitted, no such address."""
        with ExitStack() as opening:
            # A context of its own: it ends with all messages sent, and has one authenticator at most.
            context = zmq.Context()
            opening.callback(context.term)
            socket = context.socket(zmq.XPUB)
            opening.callback(socket.close)
            if self._keys:
                opening.enter_context(self._keys.guarding(socket))
            socket.sndhwm = _QUEUED
            socket.linger = _LINGER_MS
            socket.handshake_ivl = _HANDSHAKE_MS
            socket.maxmsgsize = _LONGEST_IN
            self.address = listen(socket, self._endpoint)
            opening.callback(leave, self._endpoint)
            if self._endpoint.path is None:
                # Whoever reads knows this port by now: it stays when we are entered again.
                self._endpoint = parse_endpoint(self.address)
            self._socket = socket
            self._opened = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the last messages up to 150 ms to get out."""
        self._socket = None
        self._prefixes.clear()
        self._topics.clear()
        self._health_topics.clear()
        self._opened.close()

    def write(self, item: Result | Health) -> None:
        """Publish one item, if anybody wants it of its camera. Never waits. Raises SinkError."""
        assert self._socket is not None, "use it in a with statement"
        try:
            self._hear(self._socket)
            packet = self._health_packet(item) if isinstance(item, Health) else self._packet(item)
            if packet is not None:
                # XPUB drops for a subscriber whose queue is full, and sends to the others.
                self._socket.send(packet, zmq.NOBLOCK)
        except zmq.ZMQError as failure:
            raise SinkError(f"cannot publish on {self.address}: {failure}") from failure

    def _packet(self, result: Result) -> bytes | None:
        camera = result.frame.camera
        seq = self._seq[camera]
        self._seq[camera] = seq + 1
        if camera not in self._topics:
            self._topics[camera] = self._wanted(topic("det", camera))
        head = self._topics[camera]
        return None if head is None else head + encode(message(result, seq), self._encoding)

    def _health_packet(self, health: Health) -> bytes | None:
        camera = health.camera
        seq = self._health_seq[camera]
        self._health_seq[camera] = seq + 1
        if camera not in self._health_topics:
            self._health_topics[camera] = self._wanted(topic("health", camera))
        head = self._health_topics[camera]
        return None if head is None else head + encode(health_message(health, seq), self._encoding)

    def _hear(self, socket: "zmq.Socket[bytes]") -> None:
        """Take in who came and who left."""
        for _ in range(_HEARD_AT_ONCE):
            try:
                note = socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            # libzmq keeps count for each connection and tells of the first to come and the last to
            # leave. Its verbose modes would also pass on leaves of peers that never came.
            match note[:1]:
                case b"\1" if _matters(note[1:]):
                    self._prefixes.add(note[1:])
                case b"\0":
                    self._prefixes.discard(note[1:])
                case _:
                    continue  # not a subscription: a peer talks to us
            self._topics.clear()
            self._health_topics.clear()

    def _wanted(self, head: bytes) -> bytes | None:
        """The topic, where somebody has subscribed to it or to a beginning of it."""
        return head if any(head[:length] in self._prefixes for length in range(len(head) + 1)) else None


def _matters(prefix: bytes) -> bool:
    """Whether a subscription can match a topic of ours: the others would only fill the memory."""
    return len(prefix) <= len(topic("health", "x" * 64)) and any(
        prefix.startswith(kind) or kind.startswith(prefix) for kind in (_DET, _HEALTH)
    )
