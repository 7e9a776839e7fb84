"""The networks that this machine is on."""

import ipaddress
import re
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from streamer.errors import ConfigError

# WS-Discovery (April 2005), section 2.4.
GROUP, PORT = "239.255.255.250", 3702


@dataclass(frozen=True, slots=True)
class Interface:
    """A network card, and its IPv4 address."""

    name: str
    address: str

    def __str__(self) -> str:
        return self.name if self.name == self.address else f"{self.name} ({self.address})"


def interfaces() -> list[Interface]:
    """Each one that is up and has an IPv4 address, without the loopback. Nothing is sent."""
    found: dict[str, Interface] = {}
    for number, name in socket.if_nameindex():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                # ip_mreqn; to connect a datagram socket only has the system choose where it sends from.
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("@8xi", number))
                sock.connect((GROUP, PORT))
                address = str(sock.getsockname()[0])
            except OSError:  # down, or without an address
                continue
        if not re.fullmatch("lo[0-9]*", name) and not ipaddress.ip_address(address).is_loopback:
            found.setdefault(address, Interface(name, address))
    return list(found.values())


def chosen(wanted: Sequence[str]) -> list[Interface]:
    """Interfaces by name or IPv4 address. Raises ConfigError for one that is not there."""
    there = interfaces()
    picked = []
    for text in wanted:
        match = [one for one in there if text in (one.name, one.address)]
        if not match and _own(text):
            match = [Interface(text, text)]
        if not match:
            names = ", ".join(str(one) for one in there) or "none"
            raise ConfigError(f"--interface {text}: there is no such network here; found: {names}")
        picked += match
    return picked


def _own(text: str) -> bool:
    """Whether it is an IPv4 address of this machine."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((str(ipaddress.IPv4Address(text)), 0))
    except (OSError, ValueError):
        return False
    return True
