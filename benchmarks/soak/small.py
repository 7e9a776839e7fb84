"""What the soak's cameras send: small pictures, and a keyframe so often that nobody waits long for one."""

from pathlib import Path

import av
from av.video.stream import VideoStream

from streamer.clock import MonotonicClock
from streamer.sources.pattern import Pattern
from streamer.sources.synthetic import SyntheticRecording

SIZE, FPS, SECONDS = (320, 192), 15, 4
KEYFRAME_EVERY = 3  # pictures: 0.2 s


def small_clip(path: Path, seed: int) -> Path:
    """H.264 without B-frames; the watermark's camera is `seed`."""
    pattern = Pattern(SIZE, FPS, seed, FPS * SECONDS)
    with av.open(str(path), "w") as container, SyntheticRecording(pattern, MonotonicClock()) as source:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "bf": "0"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.gop_size = KEYFRAME_EVERY
        for index, captured in enumerate(source):
            frame = av.VideoFrame.from_ndarray(captured.picture.bgr(), format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
