"""What a camera has to offer: its media profiles, and where each one's stream is."""

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from streamer.errors import Cause, SourceError
from streamer.onvif import soap
from streamer.onvif.device import Device
from streamer.onvif.markup import plain, text
from streamer.onvif.places import RTSP

MOST_PROFILES = 64
LONGEST_TOKEN = 64  # ONVIF Schema, ReferenceToken
_CODECS = {"H264": "h264", "H265": "hevc", "JPEG": "mjpeg", "MPEG4": "mpeg4"}


@dataclass(frozen=True, slots=True)
class Profile:
    """One stream of a camera, as the camera describes it. Texts are printable and short."""

    name: str
    view: str  # which lens or channel: profiles of one view show the same
    codec: str | None  # FFmpeg's name; None: not told
    size: tuple[int, int] | None  # width, height, pixels
    fps: float | None  # at most
    url: str  # rtsp:// or rtsps:// on the camera's own host, without user and password


def profiles(device: Device) -> list[Profile]:
    """All its profiles with video. Raises SourceError.

    By the Media2 service where there is one: only that knows H.265 (ONVIF Media2 Service Specification,
    GetProfiles and GetStreamUri); by the Media service in older cameras, and where Media2 has none.
    """
    for namespace, found in ((soap.MEDIA2, _media2), (soap.MEDIA, _media)):
        url = device.service(namespace)
        if url is None:
            continue
        try:
            told = found(device, url)
        except SourceError as error:
            if error.cause is not Cause.NOT_FOUND or namespace == soap.MEDIA:
                raise
            continue  # offered, but not served
        if told:
            return told
    raise SourceError(Cause.NOT_FOUND, f"{device.place}: has no stream that ONVIF tells of")


def _media2(device: Device, url: str) -> list[Profile]:
    found = []
    wanted = "<m:Type>VideoSource</m:Type><m:Type>VideoEncoder</m:Type>"
    answer = device.ask(url, soap.MEDIA2, "GetProfiles", wanted)
    for one in answer.findall("{*}Profiles")[:MOST_PROFILES]:
        encoder, token = one.find("{*}Configurations/{*}VideoEncoder"), _token(one)
        if encoder is None or not token:
            continue
        inside = f"<m:Protocol>RTSP</m:Protocol>{token}"
        told = _address(device, url, soap.MEDIA2, inside, "{*}Uri")
        view = text(one, "{*}Configurations/{*}VideoSource/{*}SourceToken")
        found += _profile(device, one, encoder, view, told)
    return found


def _media(device: Device, url: str) -> list[Profile]:
    """ONVIF Media Service Specification, GetProfiles and GetStreamUri."""
    found = []
    answer = device.ask(url, soap.MEDIA, "GetProfiles")
    for one in answer.findall("{*}Profiles")[:MOST_PROFILES]:
        encoder, token = one.find("{*}VideoEncoderConfiguration"), _token(one)
        if encoder is None or not token:
            continue
        inside = (
            "<m:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream>"
            f"<tt:Transport><tt:Protocol>RTSP</tt:Protocol></tt:Transport></m:StreamSetup>{token}"
        )
        told = _address(device, url, soap.MEDIA, inside, "{*}MediaUri/{*}Uri")
        view = text(one, "{*}VideoSourceConfiguration/{*}SourceToken")
        found += _profile(device, one, encoder, view, told)
    return found


def _token(profile: Element) -> str:
    """What GetStreamUri is to be asked with; empty where there is none."""
    token = profile.get("token", "")
    return f"<m:ProfileToken>{escape(token)}</m:ProfileToken>" if 0 < len(token) <= LONGEST_TOKEN else ""


def _address(device: Device, url: str, namespace: str, inside: str, path: str) -> str:
    """A stream's address as it is told; empty where the camera has none for this profile."""
    try:
        return text(device.ask(url, namespace, "GetStreamUri", inside), path)
    except SourceError as error:
        if error.cause is not Cause.NOT_FOUND:
            raise
        return ""


def _profile(device: Device, one: Element, encoder: Element, view: str, told: str) -> list[Profile]:
    """None where its address is none of RTSP."""
    url = device.at_its_host(told, RTSP)
    if url is None:
        return []
    name = (text(one, "{*}Name") or plain(one.get("token", "")))[:40]
    width, height = (_count(text(encoder, f"{{*}}Resolution/{{*}}{side}")) for side in ("Width", "Height"))
    rate = text(encoder, "{*}RateControl/{*}FrameRateLimit")
    fps = float(rate) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", rate) else 0.0
    size = (width, height) if width and height else None
    codec = _CODECS.get(text(encoder, "{*}Encoding").upper())
    return [Profile(name, view[:LONGEST_TOKEN], codec, size, fps or None, url)]


def _count(told: str) -> int:
    return int(told) if re.fullmatch(r"[0-9]{1,5}", told) else 0
