"""Where the proxy leads: the server's address, as its owner writes it and as it may stand in RTSP."""

import contextlib
import re
import socket
from typing import Any
from urllib.parse import urlsplit

from streamer.errors import ConfigError
from streamer.sources.userinfo import TO_ENCODE, ends_unclearly

RTSP_PORT = 554  # where no port is given, RFC 2326 section 3.2
SCHEMES = ("rtsp", "tcp", "udp")
ALLOWED = "rtsp://HOST:PORT/PATH, tcp://HOST:PORT, udp://HOST:PORT or HOST:PORT, which is rtsp"


class Target:
    """A server. `scheme` is rtsp, tcp or udp; `path` is what stood behind the address.

    Raises ConfigError for what is no address and for a host that is not known.
    """

    def __init__(self, text: str) -> None:
        scheme, mark, _ = text.partition("://")
        try:
            parts = urlsplit(text if mark else f"rtsp://{text}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        self.scheme = scheme.lower() if mark else "rtsp"
        if port is None and self.scheme == "rtsp" and mark:
            port = RTSP_PORT
        # Nothing of it is shown: there may be a password in it.
        if ends_unclearly(text.partition("://")[2] if mark else text):
            raise ConfigError(
                f"the server to impair: there is an @ behind its host; in a user name or password {TO_ENCODE}"
            )
        if self.scheme not in SCHEMES or not host or not port or not re.fullmatch(r"[\w.:%-]+", host):
            hint = "; what is encrypted goes by tcp://" if self.scheme == "rtsps" else ""
            raise ConfigError(f"the server to impair is no address: allowed is {ALLOWED}{hint}")
        self.path = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"{host} is not known here: {getattr(error, 'strerror', error)}") from error
        self.family: int = found[0]
        self.address: tuple[Any, ...] = found[4]
        hosts = {shown(one).lower() for one in (host, str(self.address[0]))}
        self.places = {f"{one}:{port}" for one in hosts} | (hosts if port == RTSP_PORT else set())

    def local_address(self) -> tuple[Any, ...]:
        """Ours that this server sees. Raises OSError where there is no way to it."""
        with contextlib.closing(socket.socket(self.family, socket.SOCK_DGRAM)) as probe:
            probe.connect(self.address)  # sends nothing
            address: tuple[Any, ...] = probe.getsockname()
            return address


def shown(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
