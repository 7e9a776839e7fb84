"""The Transport header: which way a client wants its packets, and which it gets (RFC 2326 section 12.39)."""

from dataclasses import dataclass
from typing import Any

from streamer.fakecam.delivery import Datagrams, Delivery, Interleaved
from streamer.fakecam.outlet import Outlet
from streamer.serving.listening import PortPair, port_pair


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the answer says, and the way itself."""

    header: str
    delivery: Delivery
    rtcp_address: Any = None  # where the client's reports over UDP come from


def agree(header: str, outlet: Outlet, peer: Any, ports: PortPair) -> Agreed | None:
    """The first of the ways that a client of this address can have; None for none of them."""
    for wanted in header.split(","):
        agreed = _agree(wanted.strip(), outlet, peer, ports)
        if agreed:
            return agreed
    return None


def _agree(wanted: str, outlet: Outlet, peer: Any, mine: PortPair) -> Agreed | None:
    protocol, *parameters = wanted.split(";")
    given = dict(parameter.partition("=")[::2] for parameter in parameters)
    if "multicast" in given:
        return None
    if protocol == "RTP/AVP/TCP":
        first, second = port_pair(given.get("interleaved", "0-1")) or (256, 256)
        if max(first, second) > 255:
            return None
        said = f"RTP/AVP/TCP;unicast;interleaved={first}-{second}"
        return Agreed(said, Interleaved(outlet, (first, second)))
    ports = port_pair(given.get("client_port", ""))
    if protocol not in ("RTP/AVP", "RTP/AVP/UDP") or ports is None or min(ports) < 1:
        return None
    # Only ever to who asks: `destination` would make the camera flood somebody else.
    host, _, *scope = peer
    rtp, rtcp = ((host, port, *scope) for port in ports)
    server = "-".join(map(str, mine.numbers))
    said = f"{protocol};unicast;client_port={ports[0]}-{ports[1]};server_port={server}"
    return Agreed(said, Datagrams(mine, rtp, rtcp), rtcp)
