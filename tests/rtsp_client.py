"""A client that speaks RTSP as far as tests of the test camera need, and what its packets say."""

import re
import socket


class Client:
    """Speaks RTSP as far as these tests need, and hands interleaved packets out as they come."""

    def __init__(self, url: str, receive_bytes: int | None = None) -> None:
        self.url = url
        self._cseq = 0
        self._session = ""
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(5)
        match = re.match(r"rtsp://([\d.]+):(\d+)/", url)
        assert match
        self.socket.connect((match[1], int(match[2])))
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def ask(self, method: str, url: str | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
        self._cseq += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self._cseq}"]
        if self._session:
            lines.append(f"Session: {self._session}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self.answer()

    def answer(self) -> tuple[int, dict[str, str], str]:
        line = self._file.readline()
        while line.startswith(b"$"):
            raise AssertionError("media where an answer should be")
        if not line:
            raise ConnectionError("closed")
        headers: dict[str, str] = {}
        while (text := self._file.readline().strip()) != b"":
            name, _, value = text.decode().partition(": ")
            headers[name] = headers[name] + "\n" + value if name in headers else value
        if "Session" in headers:
            self._session = headers["Session"].partition(";")[0]
        return int(line.split()[1]), headers, self._file.read(int(headers.get("Content-Length", 0))).decode()

    def play(self) -> dict[str, str]:
        track = self.url + "/trackID=0"
        assert self.ask("SETUP", track, Transport="RTP/AVP/TCP;unicast;interleaved=0-1")[0] == 200
        status, headers, _ = self.ask("PLAY", Range="npt=0.000-")
        assert status == 200
        return headers

    def packet(self) -> tuple[int, bytes]:
        head = self._file.read(4)
        if len(head) < 4:
            raise ConnectionError("closed")
        assert head[0] == 0x24
        return head[1], self._file.read(int.from_bytes(head[2:], "big"))

    def rtp(self) -> bytes:
        """The next RTP packet; reports are passed over."""
        while True:
            channel, packet = self.packet()
            if channel == 0:
                return packet

    def rtp_until_it_ends(self) -> None:
        for _ in range(1000):
            self.rtp()


def sequence(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")


def timestamp(packet: bytes) -> int:
    return int.from_bytes(packet[4:8], "big")


def depacketise(packets: list[bytes]) -> list[bytes]:
    nals: list[bytes] = []
    for packet in packets:
        body = packet[12:]
        if body[0] & 31 != 28:
            nals.append(body)
        elif body[1] & 0x80:
            nals.append(bytes([body[0] & 0xE0 | body[1] & 0x1F]) + body[2:])
        else:
            nals[-1] += body[2:]
    return nals


def silent(client: Client, for_s: float = 0.3) -> bool:
    """Whether nothing comes any more; what was on its way is passed over."""
    client.socket.settimeout(for_s)
    try:
        while client.socket.recv(65536):
            pass
    except TimeoutError:
        return True
    return False


def pictures(client: Client, count: int) -> list[bytes]:
    """The last packets of so many pictures."""
    found: list[bytes] = []
    while len(found) < count:
        packet = client.rtp()
        if packet[1] & 0x80:
            found.append(packet)
    return found


class Viewer:
    """A client over UDP that counts what comes."""

    def __init__(self, url: str) -> None:
        self.client = Client(url)
        self.rtp = socket.socket(type=socket.SOCK_DGRAM)
        self.rtcp = socket.socket(type=socket.SOCK_DGRAM)
        for sock in (self.rtp, self.rtcp):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        self.ports = [sock.getsockname()[1] for sock in (self.rtp, self.rtcp)]

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.__exit__()
        self.rtp.close()
        self.rtcp.close()

    def setup(self, wanted: str = "RTP/AVP;unicast;client_port={}-{}") -> dict[str, str]:
        headers: dict[str, str]
        track = self.client.url + "/trackID=0"
        status, headers, _ = self.client.ask("SETUP", track, Transport=wanted.format(*self.ports))
        assert status == 200
        return headers

    def play(self) -> "Viewer":
        self.setup()
        assert self.client.ask("PLAY")[0] == 200
        return self

    def numbers(self, count: int) -> list[int]:
        """The sequence numbers of so many packets as they come, unwrapped."""
        first = sequence(self.rtp.recv(2048))
        rest = [sequence(self.rtp.recv(2048)) for _ in range(count - 1)]
        return [0, *((number - first + 1000) % 65536 - 1000 for number in rest)]
