"""Addresses that a camera tells. Of each only the way is believed, never the host."""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

LONGEST = 2048
HTTP = ("http", "https")
RTSP = ("rtsp", "rtsps")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


def device_url(host: str, port: int | None = None) -> str:
    """Where a camera's device service is (ONVIF Core Specification, "Services overview")."""
    return f"http://{_netloc(host, port)}/onvif/device_service"


def at_host(told: str, host: str, schemes: Sequence[str], port_behind: int | None = None) -> str | None:
    """The address, with `host` in it whatever it names itself, and without user and password.

    A camera behind a router tells the address that it has there; a hostile one could send us, and an
    answer made of the password, anywhere. `port_behind` replaces the port where the host was another.
    None where it is no address of these schemes.
    """
    parts = _split(told)
    if parts is None or parts.scheme.lower() not in schemes:
        return None
    port = parts.port
    if port_behind is not None and not same_host(parts.hostname or "", host):
        port = port_behind
    return parts._replace(scheme=parts.scheme.lower(), netloc=_netloc(host, port), fragment="").geturl()


def first_at_host(told: Sequence[str], host: str) -> str | None:
    """Of several addresses of a service the one that names this host itself, or else the first."""
    usable = [one for one in told if at_host(one, host, HTTP)]
    own = [one for one in usable if same_host(urlsplit(one).hostname or "", host)]
    return at_host((own or usable)[0], host, HTTP) if usable else None


def host_and_port(text: str) -> tuple[str, int | None] | None:
    """`HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT` as a user writes it; None where it is neither."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:/@\s\[\]]+)(?::([0-9]{1,5}))?", text)
    if match is None or (match[2] and not 0 < int(match[2]) < 65_536):
        return None
    host = match[1].strip("[]")
    if match[1].startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return None
    elif not _HOST.fullmatch(host):
        return None
    return host, int(match[2]) if match[2] else None


def same_host(one: str, other: str) -> bool:
    """The same name, or the same address however it is written."""
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return one.lower() == other.lower()


def _split(told: str) -> SplitResult | None:
    if len(told) > LONGEST or not told.isascii() or not told.isprintable() or " " in told:
        return None
    try:
        parts = urlsplit(told)
        good = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if good else None


def _netloc(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"
