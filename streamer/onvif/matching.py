"""The two messages of WS-Discovery that are wanted: the question, and the answers to it."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from streamer.onvif.markup import Unreadable, parse, plain, text
from streamer.onvif.places import first_at_host

MOST_MATCHES = 8  # in one message
MOST_ADDRESSES = 16
_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_SCOPE = "onvif://www.onvif.org/"
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """A camera that answered. Names are printable and short, whatever it said."""

    host: str  # that the answer came from
    endpoint: str  # what it calls itself, for good
    url: str  # of its device service, on that host
    name: str = ""
    hardware: str = ""


def probe(message_id: str) -> bytes:
    """Who is a camera? (WS-Discovery, section 5.2; ONVIF Core Specification, "Device discovery")."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        f' xmlns:a="{_ADDRESSING}" xmlns:d="{_DISCOVERY}"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
        "<s:Header>"
        f"<a:Action>{_DISCOVERY}/Probe</a:Action>"
        f"<a:MessageID>urn:uuid:{message_id}</a:MessageID>"
        "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        "</s:Header>"
        "<s:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body>"
        "</s:Envelope>"
    ).encode()


def read_answers(data: bytes, host: str, message_id: str) -> list[Answer]:
    """What a datagram from `host` answers to that question (WS-Discovery, section 5.3).

    Raises Unreadable for anything else.
    """
    root = parse(data)
    related = text(root, "{*}Header/{*}RelatesTo")
    # Some write uuid: for urn:uuid:, or in capitals.
    if not related.lower().endswith(message_id.lower()):
        raise Unreadable("an answer to somebody else")
    answers = []
    for match in root.findall("{*}Body/{*}ProbeMatches/{*}ProbeMatch")[:MOST_MATCHES]:
        url = first_at_host(text(match, "{*}XAddrs").split()[:MOST_ADDRESSES], host)
        if url is None:
            continue
        endpoint = text(match, "{*}EndpointReference/{*}Address")[:200]
        scopes = text(match, "{*}Scopes").split()
        name, hardware = _scope("name", scopes), _scope("hardware", scopes)
        answers.append(Answer(host, endpoint, url, name, hardware))
    if not answers:
        raise Unreadable("an answer without an address")
    return answers


def _scope(what: str, scopes: list[str]) -> str:
    """ONVIF Core Specification, "Scopes": onvif://www.onvif.org/name/Front%20door."""
    for scope in scopes:
        if match := re.fullmatch(rf"{re.escape(_SCOPE)}{what}/(.+)", scope, re.IGNORECASE):
            return plain(unquote(match[1], errors="ignore"))[:_LONGEST_NAME]
    return ""
