"""CURVE, ZeroMQ's encryption: keys checked, and only the listed ones let in."""

import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from streamer.errors import ConfigError

_DOMAIN = "freshframe"


@dataclass(frozen=True, slots=True, repr=False)
class ServerKeys:
    """A publisher's own secret key, and the public keys that it lets in. Z85."""

    secret: bytes
    clients: frozenset[bytes]

    @contextmanager
    def guarding(self, socket: "zmq.Socket[bytes]") -> Iterator[None]:
        """Ask for a listed key of everybody who connects to the socket. Set before it listens.

        pyzmq's authenticator answers for it in a thread of its own; the context must have no other.
        """
        authenticator = ThreadAuthenticator(socket.context)
        authenticator.configure_curve_callback(_DOMAIN, self)
        authenticator.start()
        try:
            socket.curve_server = True
            socket.curve_secretkey = self.secret
            socket.zap_domain = _DOMAIN.encode()
            # Without this libzmq lets everybody in when nobody answers for the keys.
            socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
            yield
        finally:
            authenticator.stop()

    def callback(self, domain: str, key: bytes) -> bool:
        """What pyzmq's authenticator asks: may this public key in?"""
        return domain == _DOMAIN and key in self.clients


@dataclass(frozen=True, slots=True, repr=False)
class ClientKeys:
    """A subscriber's own secret key, and the publisher's public one. Z85."""

    secret: bytes
    server: bytes

    def present(self, socket: "zmq.Socket[bytes]") -> None:
        """Show them where the socket connects. Call before it does."""
        socket.curve_serverkey = self.server
        socket.curve_secretkey = self.secret
        socket.curve_publickey = zmq.curve_public(self.secret)


def server_keys(curve: Mapping[str, Any]) -> ServerKeys:
    """The keys in `{"secret_key": …, "clients": […]}`. Raises ConfigError, which never shows a key."""
    # What was found is not shown: it may be a key in the wrong place.
    if not isinstance(curve, Mapping) or set(curve) != {"secret_key", "clients"}:
        raise ConfigError("curve: must be a mapping with secret_key and clients, and nothing else")
    clients = curve["clients"]
    if isinstance(clients, str | bytes) or not isinstance(clients, Collection) or not clients:
        raise ConfigError("curve.clients: must be a list of the public keys that may connect, at least one")
    return ServerKeys(
        _key("curve.secret_key", curve["secret_key"]),
        frozenset(_key(f"curve.clients.{i}", key) for i, key in enumerate(clients)),
    )


def client_keys(server_key: str, secret_key: str) -> ClientKeys:
    """Both keys of a subscriber. Raises ConfigError, which never shows a key."""
    return ClientKeys(_key("secret_key", secret_key), _key("server_key", server_key))


def _key(what: str, text: str) -> bytes:
    try:
        sound = isinstance(text, str) and len(z85.decode(text)) == 32
    except (ValueError, KeyError, struct.error):
        sound = False
    if not sound:
        raise ConfigError(f"{what}: is not a key: 40 characters as zmq.curve_keypair() makes them")
    return text.encode()
