"""The server: its sockets, its connections, and the end of all of them."""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from streamer.errors import ConfigError
from streamer.fakecam.camera import Camera
from streamer.fakecam.commands import obey
from streamer.fakecam.gate import Gate
from streamer.fakecam.message import LARGEST_HEAD_BYTES
from streamer.fakecam.recording import check, load_all
from streamer.fakecam.session import Connection
from streamer.fakecam.studio import Studio
from streamer.fakecam.watermarking import load_watermarked
from streamer.serving.complaints import Complaints
from streamer.serving.control import LONGEST_LINE_BYTES, converse
from streamer.serving.listening import LOOPBACK, MOST_CONNECTIONS, PortPair, listening, served

# The kernel grows a buffer to megabytes, which for a slow client is many seconds of old pictures.
SEND_BUFFER_BYTES = 128 * 1024


class Server:
    """RTSP cameras on one port. Entered, it holds its clips and ports; `run` serves until cancelled.

    Making it raises ConfigError where there is no clip, a user without a password or one that cannot
    be. Entering raises SourceError where a clip cannot be read, ConfigError where an address, a port or
    the log cannot be had, or where a clip's pictures are too small for the watermark that is wanted.
    """

    def __init__(
        self,
        clips: Sequence[str | Path],
        *,
        host: str,
        port: int,
        user: str | None,
        password: str | None,
        log: str | Path | None,
        control_port: int | None,
        watermark: bool,
        seed: int,
    ) -> None:
        if not clips:
            raise ConfigError("a test camera needs at least one clip")
        if (user is None) != (password is None):
            raise ConfigError("a user needs a password, and a password a user")
        if user is not None and ":" in user:
            raise ConfigError(
                f"the user {user!r} has a ':' in it, where RTSP lets the password begin: leave it out"
            )
        self._clips = [Path(clip) for clip in clips]
        self._address = (host, port)
        self._gate = None if user is None or password is None else Gate(user, password)
        self._log_path = None if log is None else Path(log)
        self._wanted_control_port = control_port
        self._watermark = watermark
        self._seed = seed
        self._studio = Studio(self._clips, watermark=watermark)
        self._open = contextlib.ExitStack()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connections: set[Connection] = set()
        self._complaints = Complaints("fakecam")
        self.cameras: list[Camera] = []
        self.port = 0
        self.control_port: int | None = None

    def __enter__(self) -> "Server":
        with contextlib.ExitStack() as opening:
            host, port = self._address
            for path in self._clips:
                check(path)
                if self._log_path and self._log_path.exists() and self._log_path.samefile(path):
                    raise ConfigError(f"the log {self._log_path} is a clip; write it elsewhere")
            self._listener = opening.enter_context(listening(host, port))
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            self.port = self._listener.getsockname()[1]
            self._ports = opening.enter_context(_pair(self._listener.family, self._listener.getsockname()[0]))
            if self._wanted_control_port is not None:
                self._control = opening.enter_context(listening(LOOPBACK, self._wanted_control_port))
                self.control_port = self._control.getsockname()[1]
            log = opening.enter_context(_log(self._log_path)) if self._log_path else None
            # Last: it may take minutes, and what cannot be had is to be said at once.
            clips = load_watermarked(self._clips) if self._watermark else load_all(self._clips)
            self.cameras = [
                Camera(index, clip, log, self._studio, self._seed) for index, clip in enumerate(clips)
            ]
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def urls(self) -> list[str]:
        host = self._address[0]
        shown = f"[{host}]" if ":" in host else host
        return [f"rtsp://{shown}:{self.port}/cam{camera.index}" for camera in self.cameras]

    async def run(self) -> None:
        """Serve until cancelled. Raises SinkError where the log can no longer be written."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._complaints.handle)
        loop.add_reader(self._ports.rtp, self._drain, self._ports.rtp)
        loop.add_reader(self._ports.rtcp, self._drain, self._ports.rtcp)
        rtsp = await served(self._accept, self._listener, LARGEST_HEAD_BYTES)
        control = None
        if self.control_port is not None:
            control = await served(self._accept_control, self._control, LONGEST_LINE_BYTES)
        try:
            await _until_one_fails([camera.play() for camera in self.cameras])
        finally:
            loop.remove_reader(self._ports.rtp)
            loop.remove_reader(self._ports.rtcp)
            rtsp.close()
            if control is not None:
                control.close()
            for connection in list(self._connections):
                connection.abort()
            self._studio.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        paths = {f"/cam{camera.index}": camera for camera in self.cameras}
        connection = Connection(reader, writer, paths, self._gate, self._ports)
        self._connections.add(connection)
        task = self._start(connection.run())
        task.add_done_callback(lambda _: self._connections.discard(connection))

    def _accept_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._start(converse(reader, writer, lambda line: obey(line, self.cameras)))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # Own tasks: those that asyncio makes of coroutine callbacks complain when they are cancelled.
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _drain(self, sock: socket.socket) -> None:
        """Take in what clients send by UDP; their RTCP is a sign of life."""
        with contextlib.suppress(OSError):
            for _ in range(64):
                address = sock.recvfrom(2048)[1]
                for connection in self._connections:
                    if connection.rtcp_address == address:
                        connection.heard()


async def _until_one_fails(plays: list[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(play) for play in plays]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _pair(family: int, host: str) -> Iterator[PortPair]:
    try:
        ports = PortPair(family, host)
    except OSError as error:
        raise ConfigError(f"no UDP ports can be had on {host}: {error}") from error
    with contextlib.closing(ports):
        yield ports


@contextlib.contextmanager
def _log(path: Path) -> Iterator[TextIO]:
    try:
        log = path.open("w", buffering=1, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the log {path} cannot be written: {error.strerror}") from error
    try:
        yield log
    finally:
        with contextlib.suppress(OSError):  # a full disk was reported when it was met
            log.close()
