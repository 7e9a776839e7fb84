"""What the driver of a V4L2 device says, and what the system says of who uses it."""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# linux/videodev2.h: VIDIOC_QUERYCAP is _IOR('V', 0, 104 bytes), VIDIOC_REQBUFS _IOWR('V', 8, 20 bytes).
_QUERYCAP, _REQBUFS = 0x80685600, 0xC0145608
_CAN_CAPTURE = 0x1 | 0x1000  # V4L2_CAP_VIDEO_CAPTURE and …_MPLANE
_HAS_DEVICE_CAPS = 0x80000000
_MOST_HOLDERS = 3


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether a device gives pictures, and what it is called."""

    captures: bool
    name: str


def capability(path: Path) -> Capability:
    """What a device can do. Raises OSError: ENOTTY and its like where it is no video device."""
    with _opened(path) as device:
        answer = bytearray(104)
        fcntl.ioctl(device, _QUERYCAP, answer)
    _, card, _, _, whole, own = struct.unpack_from("=16s32s32sIII", answer)
    # `whole` is of all nodes of a camera: the one for its metadata cannot capture.
    bits = own if whole & _HAS_DEVICE_CAPS else whole
    return Capability(
        bool(bits & _CAN_CAPTURE), printable(card.partition(b"\0")[0].decode("utf-8", "replace"))
    )


def held(path: Path) -> bool:
    """Whether somebody streams from it: a driver lends its buffers to one only. Raises OSError."""
    with _opened(path) as device:
        # One buffer, of V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_MEMORY_MMAP; given back when it is closed.
        request = bytearray(struct.pack("=IIIII", 1, 1, 1, 0, 0))
        try:
            fcntl.ioctl(device, _REQBUFS, request)
        except OSError as error:
            return error.errno == errno.EBUSY
        return False


def holders(path: Path, processes: Path = Path("/proc")) -> list[str]:
    """Who has it open, as "name (pid 123)": those whose descriptors may be looked at, three at most."""
    found: list[str] = []
    device = str(path.resolve())
    for process in _numbered(processes):
        if process.name != str(os.getpid()) and device in _open_files(process):
            found.append(f"{_name_of(process)} (pid {process.name})")
            if len(found) == _MOST_HOLDERS:
                break
    return found


def printable(text: str) -> str:
    """A name that a device gives itself, fit to be shown."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:64]).strip()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    device = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield device
    finally:
        os.close(device)


def _numbered(processes: Path) -> list[Path]:
    try:
        return [entry for entry in processes.iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def _open_files(process: Path) -> set[str]:
    files: set[str] = set()
    try:
        for link in (process / "fd").iterdir():
            files.add(str(link.readlink()))
    except OSError:  # somebody else's, or it has just ended
        pass
    return files


def _name_of(process: Path) -> str:
    try:
        return printable((process / "comm").read_text("utf-8", "replace")) or "?"
    except OSError:
        return "?"
