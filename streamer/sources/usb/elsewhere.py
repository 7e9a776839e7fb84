"""Cameras where there is no V4L2, by their number: macOS by AVFoundation, others by what OpenCV finds."""

import sys

from streamer.errors import Cause, SourceError
from streamer.opencv import cv2
from streamer.sources.address import Address
from streamer.sources.usb.capture import OPENCV, Capture, OpenCv
from streamer.sources.usb.system import Known, Place

_MAC = "may this program use it? See System Settings, Privacy & Security, Camera"


class ByNumber:
    """The system does not tell which camera a number is, so none is found again under another."""

    def __init__(self, opencv: OpenCv = OPENCV, platform: str = sys.platform) -> None:
        self._opencv = opencv
        self._mac = platform == "darwin"

    def find(self, address: Address, known: Known | None) -> Place:  # noqa: ARG002 - as on any system
        """Its number. Raises SourceError for a path of Linux."""
        if not address.text.isdigit():
            raise SourceError(
                Cause.NOT_FOUND,
                f"{address.redacted}: is a path of Linux; here a camera is usb: and its number",
            )
        return Place(str(int(address.text)), "", None)

    def open(self, address: Address, place: Place) -> Capture:
        """Open it. Raises SourceError."""
        backend = cv2.CAP_AVFOUNDATION if self._mac else cv2.CAP_ANY
        camera = self._opencv.open(int(place.device), backend)
        if not camera.isOpened():
            camera.release()
            why = f", {_MAC}" if self._mac else "?"
            raise SourceError(
                Cause.NOT_FOUND,
                f"{address.redacted}: cannot be opened: is it plugged in, does another program hold it{why}",
            )
        return Capture(camera, self._opencv, polls=False)

    def lost(self, address: Address, place: Place) -> SourceError:  # noqa: ARG002 - as on any system
        """It says nothing of why."""
        return SourceError(
            Cause.DEVICE, f"{address.redacted}: gives no more pictures: is it still plugged in?"
        )

    def parted(self, known: Known) -> Known:
        """Nothing is learnt from it."""
        return known
