"""What could be a camera: plugged in, found in the network, or named by the user."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.config.environment import fill_in
from streamer.config.hidden import secret_beside_a_variable
from streamer.errors import ConfigError
from streamer.onvif import Answer, Interface, Search, device_url, interfaces, search
from streamer.onvif.discovery import COLLECT_S
from streamer.onvif.places import host_and_port
from streamer.setup.talk import Talk
from streamer.sources.address import ALLOWED, PICTURE_SUFFIXES, Address, parse_address
from streamer.sources.usb import Camera, alike, cameras

_FILMS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".ts", ".webm", ".yaml")


@dataclass(frozen=True, slots=True)
class Typed:
    """An address that the user named; `text` may have ${NAME} in it."""

    text: str
    address: Address

    @property
    def title(self) -> str:
        return self.address.redacted


@dataclass(frozen=True, slots=True)
class Networked:
    """A camera that speaks ONVIF, or may do so."""

    url: str  # of its device service
    host: str
    name: str = ""
    hardware: str = ""
    found: bool = False  # it answered when all were asked; nobody named it

    @property
    def title(self) -> str:
        told = " ".join(dict.fromkeys(filter(None, (self.name, self.hardware)))) or "camera"
        return f"ONVIF  {self.host}  {told}"


@dataclass(frozen=True, slots=True)
class Plugged:
    """A USB camera."""

    path: str  # that stays the same when it is plugged in elsewhere, where there is one
    name: str

    @property
    def title(self) -> str:
        return f"USB    {self.path}  {self.name}"


Candidate = Typed | Networked | Plugged


def find(talk: Talk, networks: Sequence[Interface] | None = None) -> list[Candidate]:
    """USB cameras, and the ONVIF cameras of each network; says where was looked and what came of it."""
    plugged = _plugged()
    talk.tell(f"USB cameras: {len(plugged) or 'none'}")
    asked = interfaces() if networks is None else list(networks)
    if not asked:
        talk.tell("ONVIF cameras: no network to ask on")
        return list(plugged)
    talk.tell(f"ONVIF cameras: asking on {', '.join(map(str, asked))} …")
    found = search(asked, COLLECT_S)
    talk.tell(_said(found))
    return [*plugged, *(_networked(answer) for answer in found.answers)]


def named(text: str, folder: Path | None = None) -> Candidate:
    """What a user typed: a source, or only the host of an ONVIF camera. Raises ConfigError."""
    if _is_host(text, folder):
        return at(text)
    filled = fill_in(text)
    if filled.problems:
        raise ConfigError(f"{filled.problems[0].text}")
    address = parse_address(filled.tree, folder, filled.secrets)
    if secret_beside_a_variable(text):
        raise ConfigError(
            f"{address.redacted}: a password stands in it, beside a variable, and would stand in the file; "
            "put it into a variable too"
        )
    if address.kind.local and not _there(address):
        raise ConfigError(
            f"{address.redacted}: there is no such file; allowed: {ALLOWED}, or a camera's host"
        )
    return Typed(text, address)


def at(text: str) -> Networked:
    """An ONVIF camera by host, or host and port. Raises ConfigError."""
    place = host_and_port(text)
    if place is None:
        raise ConfigError(f"{text}: allowed is a camera's HOST or HOST:PORT")
    return Networked(device_url(*place), place[0])


def _is_host(text: str, folder: Path | None) -> bool:
    if host_and_port(text) is None or (Path(folder or ".") / text).exists():
        return False
    return text == "localhost" or (
        ("." in text or ":" in text)
        and not text.startswith("usb:")
        and Path(text).suffix.lower() not in (*PICTURE_SUFFIXES, *_FILMS)
    )


def _there(address: Address) -> bool:
    path = Path(address.text)
    return path.exists() or any(letter in address.text for letter in "*?[")


def _networked(answer: Answer) -> Networked:
    return Networked(answer.url, answer.host, answer.name, answer.hardware, found=True)


def _said(found: Search) -> str:
    if not found.asked:
        return "  the question could not be sent on any of them"
    if found.answers:
        return f"  answers: {len(found.answers)}"
    more = f" ({found.unreadable} that could not be read)" if found.unreadable else ""
    return (
        f"  answers: none{more}. Cameras may be on another network, have ONVIF switched off (their web page "
        "says so), or a firewall here keeps out UDP from port 3702."
    )


def _plugged() -> list[Plugged]:
    there = cameras()
    return [Plugged(_lasting(one, there), one.name) for one in there]


def _lasting(camera: Camera, among: Sequence[Camera]) -> str:
    """A name that stays: numbers change, and twins without a serial number share their link by-id."""
    twins = camera.identity is not None and len(alike(camera.identity, among)) > 1
    links = [link for link in camera.links if not (twins and "/by-id/" in link)]
    return links[0] if links else str(camera.path)
