"""Running the server: in a thread of its own for tests, or until a signal for the command line."""

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from streamer.fakecam.faults import obey
from streamer.fakecam.server import LOOPBACK, Server

COMMAND_TIMEOUT_S = 5.0


class FakeCam:
    """Cameras that play clips as long as the `with` block lasts, served by a thread of their own.

    Each clip is `rtsp://host:port/cam0`, `/cam1` and so on, in real time, over and over. Port 0
    takes a free one. With a user the cameras want Basic or Digest authentication. `log` gets a JSON
    line for each frame when it is due and has been handed to all sockets there are; frames that a
    fault withholds are counted and leave a gap. `control_port` opens the control connection on the
    loopback interface. Entering reads the clips (and encodes those that need it) before it returns;
    it raises SourceError for a clip and ConfigError for an address, a port, the log, user or password.
    Leaving raises SinkError where the log could not be written any more.
    """

    def __init__(
        self,
        clips: Sequence[str | Path],
        *,
        host: str = LOOPBACK,
        port: int = 0,
        user: str | None = None,
        password: str | None = None,
        log: str | Path | None = None,
        control_port: int | None = None,
    ) -> None:
        self._server = Server(
            clips, host=host, port=port, user=user, password=password, log=log, control_port=control_port
        )

    def __enter__(self) -> "FakeCam":
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name="fakecam", daemon=True)
        self._thread.start()
        self._loop = self._ready.result()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # its loop is closed where it has failed already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    @property
    def urls(self) -> list[str]:
        """The cameras' addresses, without user and password."""
        return self._server.urls

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def control_port(self) -> int | None:
        return self._server.control_port

    def fault(self, camera: int, name: str, share: float | None = None) -> None:
        """Tell a camera what the control connection can: `fault(0, "loss", 0.05)`.

        Thread-safe; it is in force on return. Raises ConfigError for a command that there is not.
        """
        line = f"cam{camera} {name}" + ("" if share is None else f" {share}")

        async def told() -> None:
            obey(line, self._server.cameras)

        asyncio.run_coroutine_threadsafe(told(), self._loop).result(COMMAND_TIMEOUT_S)

    def _serve(self) -> None:
        try:
            with self._server:
                asyncio.run(self._until_stopped())
        except Exception as error:
            if self._ready.done():
                self._error = error
            else:
                self._ready.set_exception(error)

    async def _until_stopped(self) -> None:
        self._stop = asyncio.Event()
        self._ready.set_result(asyncio.get_running_loop())
        await _run_until(self._server, self._stop)


def serve(
    clips: Sequence[str | Path],
    *,
    host: str,
    port: int,
    user: str | None,
    password: str | None,
    log: str | Path | None,
    control_port: int | None,
    ready: Callable[[str], None],
) -> None:
    """Serve the clips as FakeCam does, until SIGINT or SIGTERM; `ready` gets each camera's URL.

    Main thread only. Raises SourceError, ConfigError before anything is served, SinkError for the log.
    """

    async def until_signal() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        for url in server.urls:
            ready(url)
        if server.control_port is not None:
            sys.stderr.write(f"fakecam: control on {LOOPBACK}:{server.control_port}\n")
        await _run_until(server, stop)

    with Server(
        clips, host=host, port=port, user=user, password=password, log=log, control_port=control_port
    ) as server:
        asyncio.run(until_signal())


async def _run_until(server: Server, stop: asyncio.Event) -> None:
    running = asyncio.create_task(server.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()  # nothing happens to it where it has ended by itself
    with contextlib.suppress(asyncio.CancelledError):
        await running
