"""What cameras this computer has (Linux), and what tells one from another: numbers do not.

A camera that is unplugged and plugged in again may get another number, and another camera the old one.
"""

import errno
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.sources.usb.driver import Capability, capability, printable

_NODE = re.compile(r"video([0-9]{1,3})")
_MOST_NODES = 256
_PARENTS = 4  # a USB device is the parent of its interface; between them and the node is little


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same of a camera while its number changes."""

    kind: str  # maker, product and which of its nodes; where it is not USB, its name
    serial: str  # "" where it has none
    port: str  # where it is plugged in


@dataclass(frozen=True, slots=True)
class Camera:
    """A device that gives pictures."""

    number: int
    path: Path  # /dev/videoN
    name: str  # as its driver says, "HD Pro Webcam C920"
    links: tuple[str, ...]  # names under /dev/v4l/by-id and by-path that stay the same
    identity: Identity | None  # None where the system does not tell


@dataclass(frozen=True, slots=True)
class Tree:
    """Where the system tells of its devices, and who asks a driver; tests have their own."""

    devices: Path = Path("/dev")
    system: Path = Path("/sys")
    processes: Path = Path("/proc")
    capability: Callable[[Path], Capability] = capability


THIS = Tree()


def cameras(tree: Tree = THIS) -> list[Camera]:
    """The cameras that are there now, by number, without nodes that carry no pictures."""
    found = (camera_at(path, tree) for path in _nodes(tree))
    return [camera for camera in found if camera is not None and _captures(camera, tree)]


def camera_at(path: Path, tree: Tree = THIS) -> Camera | None:
    """The camera behind /dev/videoN, whether it gives pictures or not; None where that is not there."""
    match = _NODE.fullmatch(path.name)
    if match is None or not path.exists():
        return None
    told = tree.system / "class/video4linux" / path.name
    name = _read(told / "name") or path.name
    return Camera(int(match[1]), path, name, _links(path, tree), _identity(told, name))


def alike(identity: Identity, among: Sequence[Camera]) -> list[Camera]:
    """Those that only their port tells from it: makers give one serial number to thousands, or none."""
    return [
        camera
        for camera in among
        if camera.identity is not None
        and (camera.identity.kind, camera.identity.serial) == (identity.kind, identity.serial)
    ]


def same(known: Identity, alone: bool, among: Sequence[Camera]) -> Camera | None:
    """The camera that is known, wherever it is plugged in now; None where that cannot be told.

    One at another port is taken for it only where none was `alike` while it was there (`alone`), and is now.
    """
    candidates = alike(known, among)
    for camera in candidates:
        if camera.identity is not None and camera.identity.port == known.port:
            return camera
    return candidates[0] if alone and len(candidates) == 1 else None


def _nodes(tree: Tree) -> list[Path]:
    try:
        names = [entry.name for entry in tree.devices.iterdir() if _NODE.fullmatch(entry.name)]
    except OSError:
        return []
    return [tree.devices / name for name in sorted(names, key=lambda name: int(name[5:]))[:_MOST_NODES]]


def _captures(camera: Camera, tree: Tree) -> bool:
    try:
        return tree.capability(camera.path).captures
    except OSError as error:
        # It cannot be asked; the first node of a camera is the one for its pictures.
        first = _read(tree.system / "class/video4linux" / camera.path.name / "index") in ("", "0")
        return first and error.errno in (errno.EACCES, errno.EPERM, errno.EBUSY)


def _links(path: Path, tree: Tree) -> tuple[str, ...]:
    found: list[str] = []
    for folder in ("by-id", "by-path"):
        try:
            links = sorted((tree.devices / "v4l" / folder).iterdir())
        except OSError:
            continue
        found += [f"/dev/v4l/{folder}/{link.name}" for link in links if link.resolve() == path.resolve()]
    return tuple(found)


def _identity(told: Path, name: str) -> Identity | None:
    if not told.is_dir():
        return None
    index = _read(told / "index")
    interface = (told / "device").resolve()
    for device in (interface, *list(interface.parents)[:_PARENTS]):
        if maker := _read(device / "idVendor"):
            product, part = _read(device / "idProduct"), _read(interface / "bInterfaceNumber")
            return Identity(f"{maker}:{product} {part}.{index}", _read(device / "serial"), device.name)
    return Identity(f"{name} {index}", "", str(interface))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return printable(file.read(256).decode("utf-8", "replace"))
    except OSError:
        return ""
