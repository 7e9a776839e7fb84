"""Running the proxy: in a thread of its own for tests, or until a signal for the command line."""

import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from streamer.impair.impairment import Impairment
from streamer.impair.proxy import Proxy
from streamer.impair.target import shown
from streamer.serving.listening import LOOPBACK
from streamer.serving.running import InThread, run_until_signal


class Impaired(InThread):
    """A server behind a bad network as long as the `with` block lasts, served by a thread of its own.

    `server` is `rtsp://host:port/…`, `host:port` (the same), `tcp://host:port` or `udp://host:port`; over
    RTSP media by UDP is led through as well. Nothing is wrong unless an impairment says so. The same seed
    brings the same fates to the same packets. Port 0 takes a free one; `control_port` opens the control
    connection on the loopback interface. Raises ConfigError for an address or a port.
    """

    def __init__(
        self,
        server: str,
        impairment: Impairment | None = None,
        *,
        seed: int = 0,
        host: str = LOOPBACK,
        port: int = 0,
        control_port: int | None = None,
    ) -> None:
        self._proxy = Proxy(
            server, impairment or Impairment(), seed=seed, host=host, port=port, control_port=control_port
        )
        super().__init__(self._proxy, "impair")

    @property
    def port(self) -> int:
        return self._proxy.port

    @property
    def control_port(self) -> int | None:
        return self._proxy.control_port

    def url(self, camera_url: str) -> str:
        """A URL of the server as it leads through the proxy; user and password stay in it."""
        parts = urlsplit(camera_url)
        user, at, _ = parts.netloc.rpartition("@")
        host = shown(urlsplit(self._proxy.url).hostname or "")
        return parts._replace(netloc=f"{user}{at}{host}:{self.port}").geturl()

    def be(self, impairment: Impairment) -> None:
        """Be like this from now on; in force on return. Thread-safe."""
        self._do(lambda: self._proxy.be(impairment))

    def reset(self) -> None:
        """Reset all connections, once. Thread-safe."""
        self._do(self._proxy.reset)

    def half_open(self) -> None:
        """Silence the connections that there are, and close none; new ones work. Thread-safe."""
        self._do(self._proxy.half_open)


def serve(proxy: Proxy, ready: Callable[[str], None]) -> None:
    """Impair until SIGINT or SIGTERM; `ready` gets the URL. Main thread only.

    Raises ConfigError where a port cannot be had.
    """

    def say_ready() -> None:
        ready(proxy.url)
        if proxy.control_port is not None:
            sys.stderr.write(f"impair: control on {LOOPBACK}:{proxy.control_port}\n")

    with proxy:
        run_until_signal(proxy, say_ready)
