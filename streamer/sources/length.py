"""How long a recording is, as far as its header says so."""

import re

import av
from av.container import InputContainer
from av.video.stream import VideoStream

_NS = 1_000_000_000
_LONGEST_S = 30 * 86_400  # headers may say anything


def promised_s(container: InputContainer, stream: VideoStream) -> float | None:
    """How long the header says that the video is, in s; None where there is no promise or only a guess."""
    told_s = _told_s(container, stream)
    return told_s if told_s is not None and 0 < told_s < _LONGEST_S else None


def _told_s(container: InputContainer, stream: VideoStream) -> float | None:
    name = container.format.name
    if name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)
    if name.startswith("mov,") and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if name.startswith("matroska,"):
        match = re.match(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        if match is None:
            return None
        # Some count from the film's beginning, and the pictures may begin after the sound.
        begins_s = float((stream.start_time or 0) * (stream.time_base or 0))
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) - max(begins_s, 0.0)
    if name == "flv" and len(container.streams) == 1 and container.duration:
        return container.duration / av.time_base
    return None


def step_ns(stream: VideoStream) -> int:
    """The time from one picture to the next where the file does not say it."""
    rate = stream.guessed_rate or stream.average_rate
    return int(_NS / rate) if rate and 1 <= rate <= 1000 else _NS // 25
