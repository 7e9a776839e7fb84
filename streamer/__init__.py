"""Freshframe's framework: frames in, results out. Knows no model and no transport.

Light on purpose: a name is loaded from where it lives when it is first asked for (PEP 562), so that
`import streamer` costs nothing, and none of them loads torch, OpenCV or PyAV.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.camera import Camera
    from streamer.clock import Clock, ManualClock, MonotonicClock
    from streamer.contracts import Captured, Detector, Sink, Source, StagedDetector
    from streamer.detections import Detections
    from streamer.errors import (
        AssetError,
        Cause,
        ConfigError,
        DetectorError,
        FreshframeError,
        SinkError,
        SourceError,
        Stale,
    )
    from streamer.event import Event
    from streamer.frame import ArrayPicture, Frame, LazyPicture, Picture, Quality, View
    from streamer.health import Health
    from streamer.lane import Taken
    from streamer.looking import Looking, Region
    from streamer.pipeline import Pipeline
    from streamer.result import ModelInfo, Result, Timing
    from streamer.ring import Exhausted, Ring, Writer
    from streamer.stats import CameraStats, SinkStats, Stats
    from streamer.status import State, Status

__all__ = [
    "ArrayPicture",
    "AssetError",
    "Camera",
    "CameraStats",
    "Captured",
    "Cause",
    "Clock",
    "ConfigError",
    "Detections",
    "Detector",
    "DetectorError",
    "Event",
    "Exhausted",
    "Frame",
    "FreshframeError",
    "Health",
    "LazyPicture",
    "Looking",
    "ManualClock",
    "ModelInfo",
    "MonotonicClock",
    "Picture",
    "Pipeline",
    "Quality",
    "Region",
    "Result",
    "Ring",
    "Sink",
    "SinkError",
    "SinkStats",
    "Source",
    "SourceError",
    "StagedDetector",
    "Stale",
    "State",
    "Stats",
    "Status",
    "Taken",
    "Timing",
    "View",
    "Writer",
]

_HOMES = {
    "camera": "Camera",
    "clock": "Clock ManualClock MonotonicClock",
    "contracts": "Captured Detector Sink Source StagedDetector",
    "detections": "Detections",
    "errors": "AssetError Cause ConfigError DetectorError FreshframeError SinkError SourceError Stale",
    "event": "Event",
    "frame": "ArrayPicture Frame LazyPicture Picture Quality View",
    "health": "Health",
    "lane": "Taken",
    "looking": "Looking Region",
    "pipeline": "Pipeline",
    "result": "ModelInfo Result Timing",
    "ring": "Exhausted Ring Writer",
    "stats": "CameraStats SinkStats Stats",
    "status": "State Status",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = found  # the next time it is just there
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
