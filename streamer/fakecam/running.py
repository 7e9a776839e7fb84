"""Running the server: in a thread of its own for tests, or until a signal for the command line."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.fakecam.commands import obey
from streamer.fakecam.server import Server
from streamer.serving.listening import LOOPBACK
from streamer.serving.running import InThread, run_until_signal


class FakeCam(InThread):
    """Cameras that play clips as long as the `with` block lasts, served by a thread of their own.

    Each clip is `rtsp://host:port/cam0`, `/cam1` and so on, in real time, over and over. Port 0
    takes a free one. With a user the cameras want Basic or Digest authentication. `log` gets a JSON
    line for each frame when it is due and has been handed to all sockets there are, with the time just
    before the first of them had it whole: `frame` counts on and on, and leaves a gap where a fault
    withholds some; `picture` is its number in the clip, or
    beyond the clip for pictures that a fault made. With `watermark` each clip is encoded anew, with the
    camera's number and the picture's in every picture, and a short one is repeated to 20 s. The same
    `seed` gives faults the same luck. `control_port` opens the control connection on the loopback
    interface. Entering reads the clips (and encodes those that need it) before it returns; it raises
    SourceError for a clip and ConfigError for an address, a port, the log, user or password, or
    pictures too small for a watermark.
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
        watermark: bool = False,
        seed: int = 0,
    ) -> None:
        self._server = Server(
            clips,
            host=host,
            port=port,
            user=user,
            password=password,
            log=log,
            control_port=control_port,
            watermark=watermark,
            seed=seed,
        )
        super().__init__(self._server, "fakecam")

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

    def fault(self, camera: int, name: str, value: float | str | None = None) -> None:
        """Tell a camera what the control connection can: `fault(0, "loss", 0.05)`.

        Thread-safe; it is in force on return. Pictures have to be encoded for that, and begin at a
        keyframe: the first time that takes some seconds. Raises ConfigError for a command that there
        is not, for pictures that cannot be had, and where another command came before they were.
        """
        line = f"cam{camera} {name}" + ("" if value is None else f" {value}")
        self._do(lambda: obey(line, self._server.cameras))


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
    watermark: bool = False,
    seed: int = 0,
) -> None:
    """Serve the clips as FakeCam does, until SIGINT or SIGTERM; `ready` gets each camera's URL.

    Main thread only. Raises SourceError, ConfigError before anything is served, SinkError for the log.
    """

    def say_ready() -> None:
        for url in server.urls:
            ready(url)
        if server.control_port is not None:
            sys.stderr.write(f"fakecam: control on {LOOPBACK}:{server.control_port}\n")

    with Server(
        clips,
        host=host,
        port=port,
        user=user,
        password=password,
        log=log,
        control_port=control_port,
        watermark=watermark,
        seed=seed,
    ) as server:
        run_until_signal(server, say_ready)
