"""What a camera has to offer, and what was taken of it."""

from dataclasses import dataclass, replace
from typing import Literal

from streamer.doctor.report import Report
from streamer.onvif import Login
from streamer.sources.address import Address

CODECS = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG", "mpeg4": "MPEG-4"}


@dataclass(frozen=True, slots=True)
class Offer:
    """One stream. What is not known is None."""

    text: str  # the address without user and password
    address: Address  # where it can be tried
    form: Literal["plain", "written", "whole"] = "plain"  # what becomes of the text in the configuration:
    # written: as it is, with the user's own ${NAME} in it; whole: all of it is secret
    name: str = ""  # of the profile
    codec: str | None = None  # FFmpeg's name
    size: tuple[int, int] | None = None  # width, height, pixels
    fps: float | None = None

    def as_tried(self, report: Report) -> "Offer":
        """With what really came instead of what was told."""
        return replace(
            self, codec=report.codec or self.codec, size=report.size or self.size, fps=report.fps or self.fps
        )

    def __str__(self) -> str:
        size = "{}x{}".format(*self.size) if self.size else "size unknown"
        parts = [size, CODECS.get(self.codec or "", self.codec or "")]
        parts += [f"{self.fps:.3g} fps"] if self.fps else []
        return " ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Camera:
    """Something with a view, and the streams that show it."""

    name: str
    about: str  # one line: what it is, and where
    offers: tuple[Offer, ...]
    login: Login | None = None
    found: bool = False  # it answered when all were asked; nobody named it


@dataclass(frozen=True, slots=True)
class Taken:
    """A camera, and which of its streams goes into the configuration."""

    camera: Camera
    offer: Offer
    report: Report
    why: str  # one sentence
