"""What DESCRIBE answers: a session description (RFC 8866), read as far as video needs it."""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from streamer.rtsp.failures import Undescribed, Unreadable, Unsupported

MOST_LINES = 2000
MOST_SETS_BYTES = 65_536
MOST_AUDIO = 8
_CODECS = {"H264": "h264", "H265": "hevc"}


@dataclass(frozen=True, slots=True)
class Track:
    """The video that is to be played."""

    codec: str  # h264, hevc: FFmpeg's names
    payload_type: int
    clock_hz: int
    url: str  # what SETUP is to name
    session_url: str  # what PLAY is to name
    other_url: str  # what SETUP is to name where the camera does not know the first one
    sets: tuple[bytes, ...]  # parameter sets, without start codes
    fps: float | None  # pictures a second, as far as it says so (RFC 8866, section 6.13)
    audio: tuple[str, ...]  # codecs of the sound beside it, in RTP's names


@dataclass(slots=True)
class _Media:
    kind: str
    profile: str  # RTP/AVP
    formats: list[str]
    attributes: list[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def read_track(body: bytes, base: str) -> Track:
    """The first video in H.264 or H.265. `base` is what relative addresses count from.

    Raises Unreadable for what is no description, Undescribed where there is nothing in it, Unsupported
    where there is no such video.
    """
    if not body.strip():
        raise Undescribed
    session, media = _sections(body)
    if not media:
        raise Undescribed
    session_url = _control(session.values("control"), base, base)
    encrypted = False
    for one in media:
        if one.kind != "video":
            continue
        if "SAVP" in one.profile or one.values("crypto"):
            encrypted = True
            continue
        for number in one.formats:
            track = _track(one, number, base, session_url, _audio(media))
            if track is not None:
                return track
    if encrypted:
        raise Unsupported("encrypted packets (SRTP): switch it off in the camera, or leave ?enableSrtp out")
    raise Unsupported("no video in H.264 or H.265")


def _sections(body: bytes) -> tuple[_Media, list[_Media]]:
    lines = body.decode("utf-8", "replace").splitlines()
    if len(lines) > MOST_LINES or not any(line.startswith("v=") for line in lines[:5]):
        raise Unreadable("what DESCRIBE answers is no session description")
    here = session = _Media("", "", [], [])
    media: list[_Media] = []
    for line in lines:
        if line.startswith("m="):
            kind, *rest = line[2:].split()[:40] or [""]
            here = _Media(kind, "".join(rest[1:2]).upper(), rest[2:], [])
            media.append(here)
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            here.attributes.append((name.strip().lower(), value.strip()))
    return session, media


def _track(media: _Media, number: str, base: str, session_url: str, audio: tuple[str, ...]) -> Track | None:
    mapped = next((value for value in media.values("rtpmap") if value.split(None, 1)[:1] == [number]), "")
    match = re.fullmatch(r"([0-9]{1,3})\s+([\w.-]+)/([0-9]{1,9}).*", mapped, re.ASCII)
    if match is None or match[2].upper() not in _CODECS or int(match[1]) > 127 or int(match[3]) == 0:
        return None
    fields = _fields(media, number)
    # Interleaved packetization: RFC 6184 section 6.2, RFC 7798 section 7.1.
    if (
        fields.get("packetization-mode", "0") not in ("0", "1")
        or fields.get("sprop-max-don-diff", "0") != "0"
    ):
        return None
    codec = _CODECS[match[2].upper()]
    names = ["sprop-parameter-sets"] if codec == "h264" else ["sprop-vps", "sprop-sps", "sprop-pps"]
    sets = tuple(one for name in names for one in _sets(fields.get(name, "")))
    control = media.values("control")
    url, other_url = _control(control, base, session_url), _control(control, session_url, session_url)
    fps = _rate(media.values("framerate"))
    return Track(codec, int(match[1]), int(match[3]), url, session_url, other_url, sets, fps, audio)


def _rate(values: list[str]) -> float | None:
    text = values[0] if values else ""
    return float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text, re.ASCII) and float(text) else None


def _audio(media: list[_Media]) -> tuple[str, ...]:
    """RFC 3551, section 6: what the numbers mean that need no rtpmap."""
    found = []
    for one in media:
        if one.kind == "audio":
            mapped = "".join(one.values("rtpmap")[:1]).partition(" ")[2].partition("/")[0].upper()
            known = {"0": "PCMU", "8": "PCMA"}.get("".join(one.formats[:1]), "unknown")
            found.append(mapped if re.fullmatch(r"[A-Z0-9_-]{1,40}", mapped) else known)
    return tuple(found[:MOST_AUDIO])


def _fields(media: _Media, number: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for value in filter(None, media.values("fmtp")):
        which, *rest = value.split(None, 1)
        if which == number:
            for part in "".join(rest).split(";"):
                name, _, text = part.strip().partition("=")
                fields[name.lower()] = text.strip()
    return fields


def _sets(text: str) -> list[bytes]:
    if len(text) > MOST_SETS_BYTES:
        return []
    found = []
    for part in text.strip('"').split(","):
        bare = part.strip().rstrip("=")
        try:
            found.append(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
        except binascii.Error:
            continue  # cameras send them in the stream, too
    return [one for one in found if len(one) > 2]


def _control(values: list[str], base: str, otherwise: str) -> str:
    """An address of `a=control` (RFC 2326, appendix C.1.1); the camera's host stays the one we talk to."""
    text = values[0] if values else ""
    if text in ("", "*"):
        return otherwise
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > 2048:
        raise Unreadable("a control address that is none")
    try:
        absolute = urlsplit(text).scheme.lower() in ("rtsp", "rtsps")
    except ValueError:
        raise Unreadable("a control address that is none") from None
    if absolute:
        return text
    # What cameras mean, and urljoin does not: relative to the whole of the base, its query included.
    if text.startswith("/"):
        parts = urlsplit(base)
        return parts._replace(path="", query="").geturl() + text
    return base + text if base.endswith("/") else f"{base}/{text}"


def base_of(content_base: str, content_location: str, asked: str) -> str:
    """What relative addresses count from (RFC 2326, appendix C.1.1); a base elsewhere is not believed."""
    for text in (content_base, content_location):
        if text and text.isascii() and text.isprintable() and " " not in text and len(text) <= 2048:
            try:
                joined = urljoin(asked, text)
                usable = urlsplit(joined).scheme.lower() in ("rtsp", "rtsps")
            except ValueError:
                continue
            if usable:
                return joined
    return asked
