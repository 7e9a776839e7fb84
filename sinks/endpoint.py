"""Where a ZeroMQ socket listens or connects, checked before ZeroMQ sees it."""

import errno
import ipaddress
import os
import re
import socket as sockets
import stat
from dataclasses import dataclass
from pathlib import Path

import zmq

from streamer.errors import ConfigError, SinkError
from streamer.sources import nearly_an_address

_LONGEST_PATH = 107  # bytes: sun_path of unix(7), less its ending zero
_ALLOWED = "tcp://HOST:PORT ([…] round an IPv6 address) or ipc://PATH"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A tcp or ipc endpoint that is well formed."""

    text: str
    host: str | None  # None with ipc; an IPv6 address stands without its brackets
    port: int | None  # None with ipc; 0 lets the system choose
    path: str | None  # None with tcp

    @property
    def ipv6(self) -> bool:
        """True where the host is an IPv6 address."""
        return self.host is not None and ":" in self.host

    @property
    def on_this_machine(self) -> bool:
        """True where no other machine can reach it: ipc, localhost and literal loopback addresses."""
        if self.host is None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_endpoint(text: str) -> Endpoint:
    """The endpoint in a text; for tcp the port `*` is 0. Raises ConfigError."""
    scheme, _, rest = text.partition("://")
    if scheme == "ipc":
        return Endpoint(text, None, None, _path(text, rest))
    host, _, port = rest.rpartition(":")
    if scheme != "tcp" or not re.fullmatch(r"\*|[0-9]{1,5}", port) or not _is_host(host):
        raise ConfigError(f"ZeroMQ endpoint {nearly_an_address(text)!r}: allowed are {_ALLOWED}")
    number = int(port.replace("*", "0"))
    if number > 65535:
        raise ConfigError(f"ZeroMQ endpoint {nearly_an_address(text)!r}: a port is at most 65535")
    return Endpoint(text, host.strip("[]"), number, None)


def listen(socket: "zmq.Socket[bytes]", endpoint: Endpoint) -> str:
    """Bind the socket and return its address, with the port that the system chose. Raises SinkError."""
    if endpoint.path is not None and not endpoint.path.startswith("@"):
        _make_sure_it_is_free(endpoint.text, endpoint.path)
    socket.ipv6 = endpoint.ipv6
    try:
        socket.bind(endpoint.text)
    except zmq.ZMQError as error:
        raise SinkError(f"cannot listen on {endpoint.text}: {_advice(error)}") from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def leave(endpoint: Endpoint) -> None:
    """Remove the socket's file. Call before the socket is closed: afterwards it may be another's."""
    if endpoint.path is not None and not endpoint.path.startswith("@"):
        Path(endpoint.path).unlink(missing_ok=True)


def _path(text: str, path: str) -> str:
    if path in ("", "*", "@") or "\0" in path:
        raise ConfigError(f"ZeroMQ endpoint {text!r}: allowed are {_ALLOWED}")
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise ConfigError(f"ZeroMQ endpoint {text!r}: its path is not valid Unicode") from None
    if length > _LONGEST_PATH:
        raise ConfigError(
            f"ZeroMQ endpoint {text!r}: its path has {length} bytes, at most {_LONGEST_PATH} are allowed; "
            "choose a folder nearer to the root"
        )
    return path


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    return host == "*" or re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", host) is not None


def _make_sure_it_is_free(text: str, path: str) -> None:
    # libzmq deletes whatever has this name before it listens: another publisher's socket, a document.
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise SinkError(f"cannot listen on {text}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise SinkError(f"cannot listen on {text}: there is something that is no socket; choose another path")
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return  # left behind by a process that died; libzmq replaces it
        except BlockingIOError:
            pass  # its queue is full: somebody listens
        except OSError as error:
            raise SinkError(f"cannot listen on {text}: {error.strerror or error}") from error
    raise SinkError(f"cannot listen on {text}: another program listens there; end it or choose another path")


def _advice(error: zmq.ZMQError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the port is in use by another program; end it or choose another port"
        case errno.ENODEV | errno.EADDRNOTAVAIL:
            return "this machine has no such address; give one that it has, or * for all of them"
        case errno.EACCES | errno.EPERM:
            return "not permitted; choose a port above 1023, or a folder that you may write to"
        case errno.ENOENT | errno.ENOTDIR:
            return "the folder is not there; make it or choose another path"
    return os.strerror(error.errno) if error.errno else str(error)
