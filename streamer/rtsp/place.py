"""Where a camera is: host, port, path; the password goes only where it is needed."""

import re
import socket
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from streamer.rtsp.failures import Unreadable

PORTS = {"rtsp": 554, "rtsps": 322}  # RFC 7826, section 4.2
MOST_ADDRESSES = 8

# What socket.getaddrinfo tells of one address: family and where to connect.
Target = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """An address taken apart. `url` is what the camera is asked for, without user and password."""

    url: str
    host: str
    port: int
    secure: bool
    user: str | None = field(repr=False)
    password: str = field(repr=False)
    digest_only: bool = False  # the password itself (Basic) is told to nobody

    @property
    def sendable(self) -> bool:
        """False where user or password would break a request apart."""
        return not re.search(r"[\x00-\x1f\x7f]", (self.user or "") + self.password)

    def elsewhere(self, location: str) -> "Place | None":
        """Where a redirect leads; None where we may not go: not RTSP, or from rtsps to rtsp.

        The password goes along only to the same host, whatever the port.
        """
        try:
            there = parse_place(urljoin(self.url, location), digest_only=self.digest_only)
        except ValueError:
            return None
        if self.secure and not there.secure:
            return None
        if there.user is None and there.host == self.host:
            return replace(there, user=self.user, password=self.password)
        return there


def parse_place(text: str, *, digest_only: bool = False) -> Place:
    """Take an rtsp or rtsps address apart. Raises Unreadable."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unreadable("not an address") from None
    usable = text.isascii() and text.isprintable() and not re.search(r"\s", text)
    if parts.scheme not in PORTS or not host or port == 0 or not usable or len(text) > 4096:
        raise Unreadable("not an address of RTSP")
    netloc = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=netloc, fragment="").geturl()
    user = None if parts.username is None else unquote(parts.username)
    secure = parts.scheme == "rtsps"
    password = unquote(parts.password or "")
    return Place(url, host, port or PORTS[parts.scheme], secure, user, password, digest_only)


def look_up(place: Place) -> list[Target]:
    """The host's addresses. Blocks in the system's resolver where it is a name. Raises OSError."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except UnicodeError:  # an empty label, or one that is too long
        raise socket.gaierror(socket.EAI_NONAME, "not the name of a host") from None
    return [(int(family), where) for family, _, _, _, where in found][:MOST_ADDRESSES]
