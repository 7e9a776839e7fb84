"""What the two processes tell each other. Checked on arrival: the child may be anybody's by now."""

import logging
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from streamer.errors import Cause
from streamer.sources.limits import MAX_SIDE_PX
from streamer.sources.options import SourceOptions

LONGEST_BYTES = 64 << 10  # of a message
LONGEST_TEXT = 2000
ENTER = b"enter"

_Side = Annotated[int, Meta(ge=1, le=MAX_SIDE_PX)]
_Tag = Annotated[int, Meta(ge=0, le=255)]
_Count = Annotated[int, Meta(ge=0, lt=2**32)]


class Job(Struct, frozen=True, tag=True, array_like=True):
    """To the child, first of all: the source. Goes through the socket, for it holds a password.

    Behind it comes `ENTER` for each connection; it is answered by Opened and pictures, then Failed or Ended.
    """

    kind: str
    text: str
    redacted: str
    name: str
    live: bool
    options: SourceOptions
    environment: tuple[str, ...] = ()


class Opened(Struct, frozen=True, tag=True, array_like=True):
    """The source is entered. `sparse` is what it says of itself."""

    sparse: bool = False


class Room(Struct, frozen=True, tag=True, array_like=True):
    """Pictures of up to so many bytes come next. The answer is a descriptor of memory, and a byte with it."""

    picture_bytes: Annotated[int, Meta(ge=1, lt=2**48)]


class Form(Struct, frozen=True, array_like=True):
    """How a picture lies in its slot; colour tags as FFmpeg numbers them (libavutil/pixfmt.h)."""

    pixels: Annotated[str, Meta(max_length=16)]
    width: _Side
    height: _Side
    turns: Annotated[int, Meta(ge=0, le=3)] = 0  # quarter turns to the left, before it is shown
    colorspace: _Tag = 0
    color_range: _Tag = 0


class Shot(Struct, frozen=True, tag=True, array_like=True):
    """A picture lies in the slot of its number. The rest is what `Captured` says."""

    number: Annotated[int, Meta(ge=1, lt=2**62)]
    form: Form
    captured_ns: int
    pts_ns: int | None
    source_ns: int | None
    keyframe: bool
    skipped: _Count
    segmented: bool
    damaged: bool
    undecoded: _Count


class Noted(Struct, frozen=True, tag=True, array_like=True):
    """A line for the log, at any time. `level` is that of `logging`."""

    level: Annotated[int, Meta(ge=logging.DEBUG, le=logging.CRITICAL)]
    text: Annotated[str, Meta(max_length=LONGEST_TEXT)]


class Failed(Struct, frozen=True, tag=True, array_like=True):
    """The SourceError that ended this connection."""

    cause: Cause
    text: Annotated[str, Meta(max_length=LONGEST_TEXT)]


class Ended(Struct, frozen=True, tag=True, array_like=True):
    """This connection has no more."""


Said = Opened | Room | Shot | Noted | Failed | Ended

encode = msgspec.msgpack.Encoder().encode
_said: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)
_job = msgspec.msgpack.Decoder(Job)


def said(message: bytes) -> Said:
    """What the child said. Raises msgspec.DecodeError."""
    return _said.decode(message)


def job(message: bytes) -> Job:
    """What the child is to do. Raises msgspec.DecodeError."""
    return _job.decode(message)
