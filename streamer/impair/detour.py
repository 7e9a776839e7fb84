"""What is changed in RTSP messages so that the media passes here: ports, and the server's address."""

import re
from collections.abc import Sized

from streamer.impair.link import Link
from streamer.impair.rtsp import Message
from streamer.impair.target import Target, shown
from streamer.impair.track import Address, Track
from streamer.serving.listening import port_pair

MOST_TRACKS = 16  # of one client: a camera has video, sound, and perhaps metadata
MOST_PENDING = 64  # requests without an answer


class CutOffError(Exception):
    """What would pass beside the proxy is not let through; the text says what it is."""


class Detour:
    """Changes one client's requests and the server's replies.

    `near` is our address that the client talks to, `far` ours that the server sees.
    """

    def __init__(self, link: Link, target: Target, name: str, client: Address, near: Address) -> None:
        self._link = link
        self._target = target
        self._name = name
        self._client = client
        self._near = near
        self._pending: dict[str, tuple[Track, tuple[int, int]]] = {}  # by CSeq
        self._tracks: dict[Track, str] = {}  # and the URL that each was set up with
        self._ending: dict[str, str] = {}  # the URLs of each TEARDOWN, by CSeq
        self._muted = False

    def request(self, message: Message) -> None:
        """Have a SETUP over UDP ask for ports of ours. Raises CutOffError."""
        if message.method == "TEARDOWN":
            self._bounded(self._ending)
            self._ending[message.get("cseq") or ""] = message.url
        wanted = message.get("transport")
        if message.method != "SETUP" or wanted is None:
            return
        ways = [way.strip() for way in wanted.split(",")]
        udp = [way for way in ways if not _is_interleaved(way)]
        if not udp:
            return
        ports = port_pair(_parameter(udp[0], "client_port") or "")
        if any(_parameter(way, "multicast") is not None for way in udp) or not ports or min(ports) < 1:
            raise CutOffError("only unicast to a client_port can be led through; ask for TCP")
        self._bounded(self._pending)
        track = self._track(message.url)
        first, second = track.far.numbers
        changed = [
            way if _is_interleaved(way) else _replaced(way, client_port=f"{first}-{second}") for way in ways
        ]
        message.put("Transport", ", ".join(changed))
        self._pending[message.get("cseq") or ""] = (track, ports)

    def reply(self, message: Message) -> None:
        """Have the client send to ports of ours, and find us where the server's address stands."""
        for name in ("Content-Base", "Content-Location", "Location", "RTP-Info"):
            value = message.get(name)
            if value is not None:
                message.put(name, self._led_here(value))
        if message.body and (message.get("content-type") or "").lower().startswith("application/sdp"):
            message.body = self._led_here(message.body.decode("latin-1")).encode("latin-1")
        if message.method is not None or message.status < 200:
            return
        cseq = message.get("cseq") or ""
        ended = self._ending.pop(cseq, None)
        if ended is not None and message.status == 200:
            self._give_back(ended)
        setup = self._pending.pop(cseq, None)
        if setup is None:
            return
        track, ports = setup
        agreed = message.get("transport") or ""
        if message.status != 200 or _is_interleaved(agreed):
            del self._tracks[track]
            track.close()
            return
        theirs = port_pair(_parameter(agreed, "server_port") or "")
        first, second = track.near.numbers
        message.put(
            "Transport",
            _replaced(agreed, client_port=f"{ports[0]}-{ports[1]}", server_port=f"{first}-{second}"),
        )
        if not self._muted:
            track.connect(_both(self._client, ports), _both(self._target.address, theirs or (0, 0)))

    def mute(self) -> None:
        """Pass no media any more; the ports stay."""
        self._muted = True
        for track in self._tracks:
            track.mute()

    def close(self) -> None:
        for track in self._tracks:
            track.close()

    @staticmethod
    def _bounded(asked: Sized) -> None:
        if len(asked) >= MOST_PENDING:
            raise CutOffError("it asks without waiting for answers")

    def _give_back(self, url: str) -> None:
        """The server has ended the track of that URL, or where none has it, all that it had begun."""
        waiting = {track for track, _ in self._pending.values()}
        begun = [track for track in self._tracks if track not in waiting]
        for track in [track for track in begun if self._tracks[track] == url] or begun:
            del self._tracks[track]
            track.close()

    def _track(self, url: str) -> Track:
        if len(self._tracks) >= MOST_TRACKS:
            raise CutOffError(f"it sets up more than {MOST_TRACKS} tracks")
        name = f"{self._name}/track {len(self._tracks)}"
        try:
            track = Track(self._link, name, self._near, self._target.local_address())
        except OSError as error:
            raise CutOffError(f"no UDP ports can be had: {error}") from error
        self._tracks[track] = url
        return track

    def _led_here(self, text: str) -> str:
        here = f"{shown(self._near[0])}:{self._near[1]}"

        def replaced(match: re.Match[str]) -> str:
            same = match["place"].lower() in self._target.places
            return f"{match['before']}{here}" if same else match[0]

        return _PLACE.sub(replaced, text)


_PLACE = re.compile(
    r"(?P<before>rtsp://(?:[^\s/@;,]*@)?)(?P<place>\[[0-9A-Fa-f:.%]+\](?::\d+)?|[^\s/;,\"@?]+)"
)


def _is_interleaved(way: str) -> bool:
    return way.partition(";")[0].strip().upper().endswith("/TCP")


def _parameter(way: str, name: str) -> str | None:
    for part in way.split(";")[1:]:
        found, _, value = part.partition("=")
        if found.strip().lower() == name:
            return value.strip()
    return None


def _replaced(way: str, **values: str) -> str:
    """The same with other ports, and without who else is to get or send it: it all passes here."""
    parts = []
    for part in way.split(";"):
        name = part.partition("=")[0].strip().lower()
        if name in ("source", "destination"):
            continue
        parts.append(f"{name}={values.pop(name)}" if name in values else part)
    return ";".join([*parts, *(f"{name}={value}" for name, value in values.items() if name == "server_port")])


def _both(address: Address, ports: tuple[int, int]) -> tuple[Address, Address]:
    host, _, *scope = address
    return (host, ports[0], *scope), (host, ports[1], *scope)
