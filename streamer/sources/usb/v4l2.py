"""Linux: which device a camera is now, that it is still the same one, and why it cannot be read."""

import errno
import grp
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from streamer.errors import Cause, SourceError
from streamer.opencv import cv2
from streamer.sources.address import Address
from streamer.sources.usb import driver
from streamer.sources.usb.cameras import THIS, Camera, Tree, alike, camera_at, cameras, same
from streamer.sources.usb.capture import OPENCV, Capture, OpenCv
from streamer.sources.usb.system import Known, Place

_MOST_NAMED = 8
# Looking through every process' files takes some ms: not at every try.
_HOLDERS_S = 10.0
_NO_DEVICE = (errno.ENODEV, errno.ENXIO, errno.ENOENT)


@dataclass(slots=True)
class _Holders:
    path: Path
    until_s: float
    names: list[str]


class V4l2:
    """The cameras of a Linux system. Used in one thread."""

    def __init__(
        self,
        tree: Tree = THIS,
        opencv: OpenCv = OPENCV,
        held: Callable[[Path], bool] = driver.held,
    ) -> None:
        self._tree = tree
        self._opencv = opencv
        self._held = held
        self._holders: _Holders | None = None

    def find(self, address: Address, known: Known | None) -> Place:
        """Where a camera is now. Raises SourceError.

        What was named by its number or by-id is the camera that was opened first under that name, whatever
        its number is now; udev may lead the same link to its twin. What was named by-path is what is
        plugged in there.
        """
        named = self._named(address)
        here: Camera | None
        if known is None or named.parent.name == "by-path":
            here = camera_at(named.resolve(), self._tree)
            place = None if here is None else self._place(here)
        else:
            among = self._all() if named.parent == self._tree.devices else self._at(named)
            here = same(known.identity, known.alone, among)
            place = None if here is None else self._moved(here, known)
        if place is None:
            raise self._absent(address, known)
        return place

    def open(self, address: Address, place: Place) -> Capture:
        """Open it. Raises SourceError that says why it cannot be read."""
        path = Path(place.device)
        try:
            capability = self._tree.capability(path)
            held = capability.captures and self._held(path)
        except OSError as error:
            raise self._refused(address, path, error) from error
        if not capability.captures:
            raise SourceError(
                Cause.NOT_FOUND,
                f"{address.redacted}: gives no pictures: it carries data beside them, or is an output; "
                f"{self._there()}",
            )
        if held:
            raise self._busy(address, path)
        camera = self._opencv.open(place.device, cv2.CAP_V4L2)
        if camera.isOpened():
            return Capture(camera, self._opencv, polls=True)
        camera.release()
        raise SourceError(
            Cause.CODEC,
            f"{address.redacted}: OpenCV cannot open it: it gives no pictures in a form that is known",
        )

    def lost(self, address: Address, place: Place) -> SourceError:
        """Why one that was read gives no more pictures."""
        here = camera_at(Path(place.device), self._tree)
        if here is None or (place.known and here.identity != place.known.identity):
            return self._absent(address, place.known)
        return SourceError(
            Cause.DEVICE,
            f"{address.redacted}: its driver gives no pictures: several cameras may be too much for one USB "
            "controller, or its cable too long; a smaller size, fewer pictures or another port may help",
        )

    def parted(self, known: Known) -> Known:
        """What is known of a camera that has just gone: those that are like it now were there beside it."""
        others = [other for other in alike(known.identity, self._all()) if other.identity != known.identity]
        return replace(known, alone=False) if others else known

    # ---- which

    def _named(self, address: Address) -> Path:
        if address.text.isdigit():
            return self._tree.devices / f"video{int(address.text)}"
        return self._tree.devices / Path(address.text).relative_to("/dev")

    def _all(self) -> list[Camera]:
        """Every node, also of data beside pictures: what is known tells them apart, and nothing is opened."""
        nodes = (camera_at(path, self._tree) for path in self._tree.devices.glob("video[0-9]*"))
        return [node for node in nodes if node is not None]

    def _at(self, link: Path) -> list[Camera]:
        camera = camera_at(link.resolve(), self._tree)
        return [camera] if camera is not None else []

    def _moved(self, camera: Camera, known: Known) -> Place:
        """It may be at another port now."""
        identity = camera.identity or known.identity
        return Place(str(camera.path), camera.name, replace(known, identity=identity))

    def _place(self, camera: Camera) -> Place:
        known = None
        if camera.identity is not None:
            alone = len(alike(camera.identity, self._all())) == 1
            known = Known(camera.name, camera.identity, alone)
        return Place(str(camera.path), camera.name, known)

    # ---- why not

    def _absent(self, address: Address, known: Known | None) -> SourceError:
        if known is None:
            absent = "is not there; " if cameras(self._tree) else ""
            return SourceError(Cause.NOT_FOUND, f"{address.redacted}: {absent}{self._there()}")
        named = self._named(address)
        text = f"{address.redacted}: {known.name} is unplugged"
        if named.parent == self._tree.devices:
            text += "; it is looked for under every number"
        other = camera_at(named.resolve(), self._tree)
        if other is not None and other.identity != known.identity:
            text += f". {named.name} is another camera now ({other.name}), and is not taken for it"
        return SourceError(Cause.DEVICE, text)

    def _there(self) -> str:
        found = cameras(self._tree)
        if not found:
            return "no camera here: is it plugged in? (a container sees one with --device /dev/video0)"
        named = [f"usb:{camera.number} {camera.name}{_link(camera)}" for camera in found[:_MOST_NAMED]]
        more = ", …" if len(found) > _MOST_NAMED else ""
        return f"there are: {', '.join(named)}{more}"

    def _refused(self, address: Address, path: Path, error: OSError) -> SourceError:
        if error.errno in (errno.EACCES, errno.EPERM):
            return SourceError(Cause.NOT_FOUND, f"{address.redacted}: {_forbidden(path)}")
        if error.errno == errno.EBUSY:
            return self._busy(address, path)
        if error.errno in _NO_DEVICE:
            return SourceError(Cause.DEVICE, f"{address.redacted}: has just been unplugged")
        return SourceError(
            Cause.NOT_FOUND,
            f"{address.redacted}: is no camera ({error.strerror or 'unknown'}); {self._there()}",
        )

    def _busy(self, address: Address, path: Path) -> SourceError:
        now_s = time.monotonic()
        known = self._holders
        if known is None or known.path != path or now_s >= known.until_s:
            names = driver.holders(path, self._tree.processes)
            known = self._holders = _Holders(path, now_s + _HOLDERS_S, names)
        who = f": {' or '.join(known.names)}" if known.names else "; `fuser -v` with the path names it"
        return SourceError(
            Cause.DEVICE,
            f"{address.redacted}: {path} is held by another program, or by another camera of this one{who}",
        )


def _link(camera: Camera) -> str:
    return f" ({camera.links[0]})" if camera.links else ""


def _forbidden(path: Path) -> str:
    try:
        number = path.stat().st_gid
    except OSError:
        return "may not be opened (permission denied)"
    try:
        group = grp.getgrgid(number).gr_name
    except KeyError:  # in a container groups are others than outside
        group = str(number)
    return (
        f"may not be opened (permission denied): it belongs to the group {group}; `sudo usermod -aG {group} "
        f"$USER` and logging in again let you, in a container --group-add {number}"
    )
