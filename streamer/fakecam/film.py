"""A clip of the synthetic scene, as a file that a camera would send as it is."""

from fractions import Fraction
from pathlib import Path

import av

from streamer.clock import MonotonicClock
from streamer.sources.pattern import Pattern
from streamer.sources.synthetic import SyntheticRecording

QUALITY = "26"  # libx264's crf: about 2 Mbit/s at 720p30


def film(pattern: Pattern, path: Path, *, keyframe_s: float = 1.0) -> None:
    """Write `pattern.count` pictures as MP4: H.264 without B-frames, a keyframe every `keyframe_s` s."""
    rate = Fraction(pattern.fps).limit_denominator(1000)
    with av.open(str(path), "w") as container, SyntheticRecording(pattern, MonotonicClock()) as source:
        options = {"preset": "veryfast", "bf": "0", "crf": QUALITY}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *pattern.size, "yuv420p"
        stream.gop_size = max(1, round(rate * Fraction(keyframe_s)))
        stream.time_base = 1 / rate
        for index, captured in enumerate(source):
            frame = av.VideoFrame.from_ndarray(captured.picture.bgr(), format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
