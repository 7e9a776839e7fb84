"""Freshframe's framework: frames in, results out. Knows no model and no transport.

Light on purpose: importing it loads neither torch nor OpenCV nor PyAV.
"""

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
    "ManualClock",
    "ModelInfo",
    "MonotonicClock",
    "Picture",
    "Pipeline",
    "Quality",
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
