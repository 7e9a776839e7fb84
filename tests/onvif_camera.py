"""A camera that speaks ONVIF, as far as whoever looks for streams needs: over real sockets, on loopback.

It was written from the specifications, apart from the client: what it checks it works out by itself.
"""

import base64
import hashlib
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.conftest import missing

LOOPBACK = "127.0.0.1"
GROUP, PORT = "239.255.255.250", 3702
S = "http://www.w3.org/2003/05/soap-envelope"
TDS, TRT, TR2 = (f"http://www.onvif.org/{it}/wsdl" for it in ("ver10/device", "ver10/media", "ver20/media"))
TT = "http://www.onvif.org/ver10/schema"
FREE = ("GetSystemDateAndTime", "GetServices", "GetCapabilities")  # of the access class PRE_AUTH


@dataclass(frozen=True)
class Stream:
    """A media profile."""

    token: str
    uri: str
    encoding: str = "H264"
    size: tuple[int, int] = (640, 360)
    fps: float = 15
    name: str = ""
    source: str = "VideoSource_1"


@dataclass
class OnvifCamera:
    """Serves its HTTP side as long as the `with` block lasts. `calls` has what was asked, in order."""

    streams: Sequence[Stream] = ()
    user: str | None = "admin"
    password: str = "secret"
    way: str = "token"  # or http: digest authentication as newer cameras want it
    media: bool = True
    media2: bool = True
    services: bool = True  # False: it is too old for GetServices
    ahead: timedelta = timedelta()  # its clock
    says_host: str = LOOPBACK  # in the addresses that it tells
    secure: ssl.SSLContext | None = None
    maker: str = "Acme"
    model: str = "Eye 3"
    # Instead of what it would answer: bytes of a whole HTTP answer, or a function that gets the socket.
    instead: dict[str, bytes | Callable[[socket.socket], None]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)  # heads and bodies of all requests
    refused: int = 0

    def __enter__(self) -> Self:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                camera._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._nonces: set[str] = set()
        self._http = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._http.daemon_threads = True
        if self.secure is not None:
            self._http.socket = self.secure.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Of its device service, as it says itself."""
        return f"http{'s' if self.secure else ''}://{self.says_host}:{self.port}/onvif/device_service"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        data = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.heard.append(bytes(handler.headers) + data)
        body = ElementTree.fromstring(data).find(f"{{{S}}}Body")
        assert body is not None
        asked = body[0]
        namespace, _, operation = asked.tag[1:].partition("}")
        self.calls.append(operation)
        assert f'action="{namespace}/{operation}"' in handler.headers["Content-Type"]
        instead = self.instead.get(operation)
        if instead is not None:
            handler.close_connection = True
            if callable(instead):
                instead(handler.connection)
            else:
                handler.wfile.write(instead)
            return
        if self.user is not None and operation not in FREE and not self._allowed(handler, data):
            self.refused += 1
            wrong = fault("Sender", "NotAuthorized", "Sender not Authorized")
            if self.way == "http":
                challenge = 'Digest realm="eye", nonce="n0nce", qop="auth", algorithm=MD5'
                self._reply(handler, 401, wrong, {"WWW-Authenticate": challenge})
            else:
                self._reply(handler, 400, wrong)
            return
        made = self._answer(namespace, operation, asked)
        self._reply(handler, 200 if made else 500, made or fault("Receiver", "ActionNotSupported", "no"))

    def _reply(
        self, handler: BaseHTTPRequestHandler, status: int, body: str, headers: dict[str, str] | None = None
    ) -> None:
        handler.send_response(status)
        data = envelope(body)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def _allowed(self, handler: BaseHTTPRequestHandler, data: bytes) -> bool:
        return self._digest(handler) if self.way == "http" else self._token(data)

    def _digest(self, handler: BaseHTTPRequestHandler) -> bool:
        answered = handler.headers.get("Authorization", "").encode("latin-1").decode()
        told = dict(re.findall(r'(\w+)="?([^",]*)"?', answered))
        if not told:
            return False
        h = [
            hashlib.md5(text.encode()).hexdigest()
            for text in (f"{self.user}:eye:{self.password}", f"POST:{handler.path}")
        ]
        proof = f"{h[0]}:n0nce:{told['nc']}:{told['cnonce']}:auth:{h[1]}"
        right = hashlib.md5(proof.encode()).hexdigest()
        return (told["username"], told["response"]) == (self.user, right)

    def _token(self, data: bytes) -> bool:
        root = ElementTree.fromstring(data)
        told = {one.tag.rpartition("}")[2]: one.text or "" for one in root.iter()}
        if "Nonce" not in told or told["Nonce"] in self._nonces or told["Username"] != self.user:
            return False
        self._nonces.add(told["Nonce"])
        created = datetime.fromisoformat(told["Created"])
        nonce = base64.b64decode(told["Nonce"])
        proof = hashlib.sha1(nonce + told["Created"].encode() + self.password.encode()).digest()
        off = abs(datetime.now(UTC) + self.ahead - created)
        return off < timedelta(seconds=5) and told["Password"] == base64.b64encode(proof).decode()

    def _answer(self, namespace: str, operation: str, asked: ElementTree.Element) -> str:
        where = self.url.replace("device_service", "")
        token = next((one.text for one in asked.iter() if one.tag.endswith("}ProfileToken")), None)
        stream = next((one for one in self.streams if one.token == token), None)
        match namespace, operation:
            case _, "GetSystemDateAndTime":
                now = datetime.now(UTC) + self.ahead
                return response(
                    TDS,
                    operation,
                    "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:UTCDateTime>"
                    f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
                    f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
                    f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
                    "</tt:UTCDateTime></tds:SystemDateAndTime>",
                )
            case _, "GetDeviceInformation":
                told = f"<tds:Manufacturer>{escape(self.maker)}</tds:Manufacturer>"
                return response(TDS, operation, told + f"<tds:Model>{escape(self.model)}</tds:Model>")
            case _, "GetServices" if self.services:
                ones = (
                    [(TDS, "device_service")]
                    + [(TRT, "media")] * self.media
                    + [(TR2, "media2")] * self.media2
                )
                return response(
                    TDS,
                    operation,
                    "".join(
                        f"<tds:Service><tds:Namespace>{name}</tds:Namespace><tds:XAddr>{where}{way}</tds:XAddr>"
                        "</tds:Service>"
                        for name, way in ones
                    ),
                )
            case _, "GetCapabilities":
                told = f"<tt:Media><tt:XAddr>{where}media</tt:XAddr></tt:Media>" if self.media else ""
                return response(TDS, operation, f"<tds:Capabilities>{told}</tds:Capabilities>")
            case str(it), "GetProfiles" if it == TR2 and self.media2:
                return response(TR2, operation, "".join(map(_profile2, self.streams)))
            case str(it), "GetProfiles" if it == TRT and self.media:
                # The older service knows no H.265.
                return response(
                    TRT, operation, "".join(_profile(one) for one in self.streams if one.encoding != "H265")
                )
            case str(it), "GetStreamUri" if it == TR2 and stream:
                return response(TR2, operation, f"<tr2:Uri>{escape(stream.uri)}</tr2:Uri>")
            case str(it), "GetStreamUri" if it == TRT and stream:
                return response(
                    TRT, operation, f"<trt:MediaUri><tt:Uri>{escape(stream.uri)}</tt:Uri></trt:MediaUri>"
                )
        return ""


def _encoder(one: Stream) -> str:
    return (
        f"<tt:Encoding>{one.encoding}</tt:Encoding><tt:Resolution><tt:Width>{one.size[0]}</tt:Width>"
        f"<tt:Height>{one.size[1]}</tt:Height></tt:Resolution><tt:RateControl>"
        f"<tt:FrameRateLimit>{one.fps}</tt:FrameRateLimit></tt:RateControl>"
    )


def _profile(one: Stream) -> str:
    return (
        f'<trt:Profiles token="{one.token}"><tt:Name>{escape(one.name or one.token)}</tt:Name>'
        f"<tt:VideoSourceConfiguration><tt:SourceToken>{one.source}</tt:SourceToken>"
        f"</tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration>{_encoder(one)}"
        "</tt:VideoEncoderConfiguration></trt:Profiles>"
    )


def _profile2(one: Stream) -> str:
    return (
        f'<tr2:Profiles token="{one.token}"><tr2:Name>{escape(one.name or one.token)}</tr2:Name>'
        f"<tr2:Configurations><tr2:VideoSource><tt:SourceToken>{one.source}</tt:SourceToken></tr2:VideoSource>"
        f"<tr2:VideoEncoder>{_encoder(one)}</tr2:VideoEncoder></tr2:Configurations></tr2:Profiles>"
    )


def envelope(body: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{S}" xmlns:tt="{TT}" xmlns:tds="{TDS}" '
        f'xmlns:trt="{TRT}" xmlns:tr2="{TR2}"><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def response(namespace: str, operation: str, inside: str) -> str:
    prefix = {TDS: "tds", TRT: "trt", TR2: "tr2"}[namespace]
    return f"<{prefix}:{operation}Response>{inside}</{prefix}:{operation}Response>"


def fault(code: str, subcode: str, why: str) -> str:
    return (
        f"<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value>ter:{subcode}</s:Value></s:Subcode>"
        f'</s:Code><s:Reason><s:Text xml:lang="en">{why}</s:Text></s:Reason></s:Fault>'
    )


def http(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole answer over HTTP."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def matches(message_id: str, *found: tuple[str, str, str]) -> bytes:
    """An answer to a Probe; for each: endpoint, addresses, scopes."""
    ones = "".join(
        f"<d:ProbeMatch><a:EndpointReference><a:Address>{endpoint}</a:Address></a:EndpointReference>"
        f"<d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types><d:Scopes>{scopes}</d:Scopes>"
        f"<d:XAddrs>{addresses}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
        for endpoint, addresses, scopes in found
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{S}"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl" xmlns:tds="http://www.onvif.org/ver10/device/wsdl">'
        f"<s:Header><a:RelatesTo>{message_id}</a:RelatesTo></s:Header>"
        f"<s:Body><d:ProbeMatches>{ones}</d:ProbeMatches></s:Body></s:Envelope>"
    ).encode()


class Responder:
    """Hears WS-Discovery's questions and answers what `answers` makes of a message's id.

    With `multicast` on the true group and port, on the loopback interface; else on a port of its own.
    """

    def __init__(self, answers: Callable[[str], Sequence[bytes]], *, multicast: bool = False) -> None:
        self._answers = answers
        self._multicast = multicast
        self.questions: list[bytes] = []

    def __enter__(self) -> Self:
        self._stop, self._stopped = socket.socketpair()
        self._ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._mouth.bind((LOOPBACK, 0))
        if self._multicast:
            self._ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._ear.bind((GROUP, PORT))
            member = socket.inet_aton(GROUP) + socket.inet_aton(LOOPBACK)
            try:
                self._ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            except OSError as error:
                for sock in (self._stop, self._stopped, self._ear, self._mouth):
                    sock.close()
                missing(f"multicast over loopback: {error}")
        else:
            self._ear.bind((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.close()
        self._thread.join()
        for sock in (self._ear, self._mouth, self._stopped):
            sock.close()

    @property
    def at(self) -> tuple[str, int]:
        host, port = self._ear.getsockname()
        return str(host), int(port)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._ear, self._stopped], [], [])
            if self._stopped in ready:
                return
            data, where = self._ear.recvfrom(65_536)
            self.questions.append(data)
            found = re.search(rb"MessageID[^>]*>([^<]+)<", data)
            if found is not None:
                for answer in self._answers(found[1].decode()):
                    self._mouth.sendto(answer, where)
