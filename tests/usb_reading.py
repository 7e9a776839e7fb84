"""Reading a USB camera that follows a script, and why it cannot be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from usb_cameras import Desk, StandIn

from streamer.clock import MonotonicClock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources import SourceOptions, parse_address
from streamer.sources.usb.source import UsbSource
from streamer.sources.usb.v4l2 import V4l2

AS_IT_IS = SourceOptions()


def usb(
    desk: Desk,
    script: list[Any],
    options: SourceOptions = AS_IT_IS,
    *,
    address: str = "usb:0",
    held: Callable[[Path], bool] = lambda path: False,
    queued: bool = False,
) -> UsbSource:
    """The source of a script."""
    opencv = StandIn(script, queued=queued).opencv
    return UsbSource(parse_address(address), options, MonotonicClock(), V4l2(desk.tree, opencv, held))


def read(one: UsbSource, most: int = 100) -> list[Captured]:
    """What comes until it is unplugged."""
    got: list[Captured] = []
    with one:
        try:
            for captured in one:
                got.append(captured)
                if len(got) == most:
                    break
        except SourceError:
            pass
    return got


def failure(one: UsbSource) -> SourceError:
    """Why it cannot be read."""
    with pytest.raises(SourceError) as caught, one:
        for _ in one:
            pass
    assert caught.value.cause in Cause
    return caught.value


def absent(one: UsbSource) -> str:
    """It is looked for, and not found."""
    error = failure(one)
    assert error.cause is Cause.DEVICE
    assert " is unplugged" in str(error)
    return str(error)
