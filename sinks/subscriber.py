"""What a publisher says, as it is now: the newest message of each camera."""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, overload

import zmq

from sinks.curve import ClientKeys, client_keys
from sinks.endpoint import parse_endpoint
from streamer.errors import ConfigError
from streamer.sources.names import check_name
from streamer.wire import DetectionsMessage, HealthMessage, MessageError, decode, split, topic

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    # So that `Subscriber` alone means one of detections.
    M = TypeVar("M", DetectionsMessage, DetectionsMessage | HealthMessage, default=DetectionsMessage)
else:
    from typing import TypeVar

    M = TypeVar("M")

_QUEUED = 256
_LONGEST_IN = 16 << 20  # bytes of one message
_MOST_CAMERAS = 4096  # a publisher that invents names must not fill the memory
_DRAINED_AT_ONCE = 10_000  # one that is faster than we can read must not keep us from yielding
_RECONNECT_MS = 100
_CONNECT_MS = 3000
_HANDSHAKE_MS = 3000
_WAIT_S = 0.5  # the longest single wait: a signal that comes just before one is noticed after it


class Subscriber(Generic[M]):
    """Connects to a publisher, now or when it is there, and again whenever it has gone.

    `for message in subscriber` blocks and never ends. With `health` it yields the cameras' health too: a
    HealthMessage at each change and every few seconds, of which the newest says all. Counted are
    detections, by camera: `lost` on the way (gaps of `seq`), `skipped` because a newer one was there.
    `malformed` counts packets that are no messages. Made anywhere, then used in one thread.
    """

    @overload
    def __init__(
        self: "Subscriber[DetectionsMessage]",
        endpoint: str,
        *,
        cameras: Sequence[str] | None = ...,
        health: Literal[False] = ...,
        server_key: str | None = ...,
        secret_key: str | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Subscriber[DetectionsMessage | HealthMessage]",
        endpoint: str,
        *,
        cameras: Sequence[str] | None = ...,
        health: Literal[True],
        server_key: str | None = ...,
        secret_key: str | None = ...,
    ) -> None: ...

    def __init__(
        self,
        endpoint: str,
        *,
        cameras: Sequence[str] | None = None,
        health: bool = False,
        server_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        """`cameras` None is all of them. Keys are Z85: the publisher's public one, our secret one.

        Raises ConfigError.
        """
        self._endpoint = parse_endpoint(endpoint)
        if self._endpoint.port == 0 or self._endpoint.host == "*":
            raise ConfigError(f"ZeroMQ endpoint {endpoint}: to connect it needs a host and a port")
        self._topics = _topics("det", cameras) + (_topics("health", cameras) if health else [])
        if (server_key is None) != (secret_key is None):
            raise ConfigError("keys: give both server_key and secret_key, or neither")
        self._keys: ClientKeys | None = None
        if server_key is not None and secret_key is not None:
            self._keys = client_keys(server_key, secret_key)
        self.lost: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.malformed = 0
        # By kind and camera, in the order in which they are yielded.
        self._waiting: dict[tuple[type, str], Any] = {}
        self._met: set[str] = set()
        self._expected: dict[str, tuple[str, int]] = {}  # by camera: session, next seq
        self._socket: zmq.Socket[bytes] | None = None
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        """Begin to connect. Raises ConfigError where ZeroMQ refuses the endpoint."""
        with ExitStack() as opening:
            context = zmq.Context()
            opening.callback(context.term)
            socket = context.socket(zmq.SUB)
            opening.callback(socket.close)
            socket.linger = 0
            socket.rcvhwm = _QUEUED
            socket.maxmsgsize = _LONGEST_IN
            socket.reconnect_ivl = _RECONNECT_MS
            socket.connect_timeout = _CONNECT_MS
            socket.handshake_ivl = _HANDSHAKE_MS
            # A host that loses its power says no goodbye: noticed after about 10 s.
            socket.tcp_keepalive = 1
            socket.tcp_keepalive_idle = 5
            socket.tcp_keepalive_intvl = 2
            socket.tcp_keepalive_cnt = 3
            socket.ipv6 = self._endpoint.ipv6
            if self._keys:
                self._keys.present(socket)
            for prefix in self._topics:
                socket.subscribe(prefix)
            try:
                socket.connect(self._endpoint.text)
            except zmq.ZMQError as error:
                raise ConfigError(f"cannot connect to {self._endpoint.text}: {error}") from error
            self._socket = socket
            self._opened = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket = None
        self._opened.close()

    def __iter__(self) -> Iterator[M]:
        """The newest message of each kind and camera in turn, for ever."""
        while True:
            item = self.receive(None)
            if item is not None:
                yield item

    def receive(self, timeout_s: float | None) -> M | None:
        """The newest message of the camera whose turn it is; None when the time is over before.

        `timeout_s` None waits for ever, 0 takes what is there.
        """
        assert self._socket is not None, "use it in a with statement"
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._drain(self._socket)
            if self._waiting:
                item: M = self._waiting.pop(next(iter(self._waiting)))
                return item
            left_s = min(deadline - time.monotonic(), _WAIT_S)
            if left_s <= 0:
                return None
            self._socket.poll(math.ceil(left_s * 1000))

    def _drain(self, socket: "zmq.Socket[bytes]") -> None:
        for _ in range(_DRAINED_AT_ONCE):
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._take(_read(parts))
            except MessageError:
                self.malformed += 1

    def _take(self, item: DetectionsMessage | HealthMessage) -> None:
        camera = item.camera
        if camera not in self._met:
            self._meet(camera)
        if isinstance(item, DetectionsMessage):
            self._count(item)
        # A newer message takes the older one's turn: a dict keeps the place of a key that it has.
        self._waiting[type(item), camera] = item

    def _count(self, item: DetectionsMessage) -> None:
        camera = item.camera
        session, expected = self._expected.get(camera, (None, 0))
        if item.session == session and item.seq > expected:
            self.lost[camera] += item.seq - expected
        self._expected[camera] = item.session, item.seq + 1
        if (DetectionsMessage, camera) in self._waiting:
            self.skipped[camera] += 1

    def _meet(self, camera: str) -> None:
        if len(self._met) >= _MOST_CAMERAS:
            raise MessageError(f"camera {camera!r} is one more than the {_MOST_CAMERAS} that are followed")
        try:
            check_name(camera)
        except ConfigError as error:
            raise MessageError(str(error)) from error
        self._met.add(camera)


def _topics(kind: Literal["det", "health"], cameras: Sequence[str] | None) -> list[bytes]:
    if cameras is None:
        return [f"{kind}.".encode()]
    if isinstance(cameras, str) or not cameras:
        raise ConfigError(f"cameras {cameras!r}: give a list of names, or None for all")
    for name in cameras:
        check_name(name)
    return [topic(kind, name) for name in cameras]


def _read(parts: list[bytes]) -> DetectionsMessage | HealthMessage:
    if len(parts) != 1:
        raise MessageError(f"a message is one part, not {len(parts)}")
    head, payload = split(parts[0])
    item = decode(payload)
    kind = "det" if isinstance(item, DetectionsMessage) else "health"
    if head != f"{kind}.{item.camera}":
        raise MessageError(f"topic {head[:80]!r} is not that of camera {item.camera!r}")
    return item
