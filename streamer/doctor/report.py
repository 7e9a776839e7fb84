"""What a look at a source found out."""

from dataclasses import dataclass

from streamer.errors import SourceError
from streamer.sources.address import Address


@dataclass(frozen=True, slots=True)
class Report:
    """One source, watched for some seconds. What could not be known is None.

    Rates are of the stream itself, as it was sent or stored, whatever of it was decoded in time.
    """

    address: Address
    failure: SourceError | None = None  # why it gave nothing (more); its text is one sentence
    connect_s: float | None = None  # from the beginning until it was open
    first_picture_s: float | None = None  # … until the first picture was decoded
    watched_s: float = 0.0  # since it was open; of a recording, how much of it was read
    ended: bool = False  # a live source that said by itself that it is over
    read_by: str | None = None  # freshframe or ffmpeg, of what comes over the network
    transport: str | None = None  # tcp or udp, of RTSP

    codec: str | None = None  # FFmpeg's name: h264, hevc, mjpeg …
    profile: str | None = None  # High, Main 10 …
    size: tuple[int, int] | None = None  # width, height in pixels, upright
    interlaced: bool | None = None
    audio: tuple[str, ...] | None = None  # codecs of its audio tracks
    duration_s: float | None = None  # of a recording, as its header says

    announced_fps: float | None = None
    measured_fps: float | None = None
    bits_per_s: float | None = None
    packets: int = 0  # compressed pictures that came
    pictures: int = 0  # decoded ones
    keyframes: int = 0
    keyframe_every_s: float | None = None  # the longest time from one to the next; None: fewer than two
    no_keyframe_s: float = 0.0  # the longest time without one that was seen, begun or ended by nothing else
    b_frames: bool | None = None  # pictures come in another order than they are shown in
    clock_offset_s: float | None = None  # the camera's wall clock less ours, less the way here
    stamps_off: bool = False  # its time stamps do not run in real time
    lost: int | None = None  # RTP packets that never came
    damaged: int = 0  # pictures that lean on data that was lost or is wrong
    jitter_s: float | None = None  # RFC 3550, section 6.4.1, over whole pictures
    decode_s: float | None = None  # processor time of reading and decoding one picture

    @property
    def ok(self) -> bool:
        """True where pictures came and nothing broke it off."""
        return self.failure is None and self.pictures > 0

    @property
    def keyframes_unclear(self) -> bool:
        """True where what was seen from one keyframe to the next is too little for the rule.

        There was a longer time without one; or there were just two, and close together.
        """
        every_s = self.keyframe_every_s
        if every_s is None:
            return True
        return self.no_keyframe_s > 1.2 * every_s or (self.keyframes == 2 and every_s < self.watched_s / 2)

    @property
    def fps(self) -> float | None:
        """The measured rate, or else the announced one."""
        return self.measured_fps or self.announced_fps

    @property
    def whole_pictures(self) -> bool:
        """True where each picture is a keyframe, as in Motion JPEG: to decode those alone saves nothing."""
        every_s, fps = self.keyframe_every_s, self.fps
        return every_s is not None and fps is not None and every_s * fps < 2
