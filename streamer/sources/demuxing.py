"""Opening what PyAV reads: which options, which formats, which stream.

Two lists bound what hostile content can reach. Protocols: what a playlist, a redirect or a session
description may open further. Formats: plain containers only, for scripts and playlists (concat, SDP,
DASH, image patterns) name other files.
"""

import av
import av.logging
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streamer.sources import causes, limits
from streamer.sources.address import Address, Kind
from streamer.sources.web import proxied

# Once for the process: FFmpeg's messages go nowhere. They hold addresses with passwords, and handing
# them to Python would take the interpreter's lock in the middle of decoding, once per damaged block.
av.logging.set_level(None)

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 5.0
# A server of segments says nothing while the next one is being recorded, usually 2 to 10 s.
SEGMENTS_TIMEOUT_S = 20.0

# AVFMT_FLAG_GENPTS and AVFMT_NOTIMESTAMPS: PyAV's own names for them are no integers to a type checker.
_GEN_PTS, _NO_TIMESTAMPS = 0x0001, 0x0080

# A title in a wrong encoding is no reason to refuse a film.
_METADATA_ERRORS = "replace"

_CONTAINERS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,mxf,nut,rm,wtv,gxf,dv,ivf,"
    "h264,hevc,vvc,av1,obu,mjpeg,gif,apng,yuv4mpegpipe"
)
_PROTOCOLS = {
    Kind.FILE: "file",
    Kind.HTTP: "http,https,tcp,tls",
    Kind.HTTPS: "https,tcp,tls",  # never back to plain text
    Kind.RTSP: "rtsp,rtp,udp,tcp",
    Kind.RTSPS: "rtsps,rtsp,rtp,srtp,udp,tcp,tls",
}


def open_recording(address: Address) -> tuple[InputContainer, VideoStream]:
    """Open a file. Raises av.FFmpegError, SourceError."""
    # `file:` keeps FFmpeg from reading a protocol into the name.
    options = _options(address, _CONTAINERS)
    container = av.open(f"file:{address.text}", options=options, metadata_errors=_METADATA_ERRORS)
    return _with_video(container, address)


def open_network(address: Address, transport: str) -> tuple[InputContainer, VideoStream]:
    """Connect to a camera or server. `transport` is tcp or udp. Raises av.FFmpegError, SourceError.

    Certificates are not verified: those of cameras are their makers' own.
    """
    read_s = READ_TIMEOUT_S
    if address.kind in (Kind.RTSP, Kind.RTSPS):
        options = _options(address, "rtsp")
        options |= {
            "rtsp_transport": transport,
            # With sound beside it FFmpeg shifts the times at the first sender report.
            "allowed_media_types": "video",
            "analyzeduration": "100000",
            "fpsprobesize": "0",
        }
    else:
        # Motion JPEG is read by ourselves: FFmpeg's memory for a picture has no bound.
        options = _options(address, f"{_CONTAINERS},hls" + ",mpjpeg" * proxied(address))
        if ".m3u8" in address.text:
            read_s = SEGMENTS_TIMEOUT_S
    times = OPEN_TIMEOUT_S, read_s
    container = av.open(address.text, options=options, timeout=times, metadata_errors=_METADATA_ERRORS)
    return _with_video(container, address)


def timed(container: InputContainer) -> bool:
    """False where the format carries no times and FFmpeg invents them from a guessed rate."""
    return not container.format.flags & _NO_TIMESTAMPS


def segmented(container: InputContainer) -> bool:
    """True where a server hands the stream out segment by segment (HLS)."""
    return container.format.name == "hls"


def _options(address: Address, formats: str) -> dict[str, str]:
    return {
        "protocol_whitelist": _PROTOCOLS[address.kind],
        "format_whitelist": formats,
        "max_pixels": str(limits.MAX_PIXELS),
    }


def _with_video(container: InputContainer, address: Address) -> tuple[InputContainer, VideoStream]:
    try:
        # PyAV asks for guessed times; for that FFmpeg holds packets back.
        container.flags &= ~_GEN_PTS
        stream = _best_video(container, address)
        _set_up_decoder(stream, address)
    except BaseException:
        container.close()
        raise
    return container, stream


def _best_video(container: InputContainer, address: Address) -> VideoStream:
    """The stream that FFmpeg prefers; the cover picture of a song is none."""
    films = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    if not films:
        raise causes.no_video(address, [stream.type for stream in container.streams])
    best = container.streams.best("video")
    return next((stream for stream in films if stream is best), films[0])


def _set_up_decoder(stream: VideoStream, address: Address) -> None:
    decoder: VideoCodecContext | None = stream.codec_context
    if decoder is None:
        raise causes.no_decoder(address)
    size = decoder.width, decoder.height
    if limits.too_large(size):
        raise causes.too_large(address, size, limits.ALLOWED)
    # Frame threads would hold back a picture for each thread.
    decoder.thread_type, decoder.thread_count = ThreadType.SLICE, 1
    decoder.options = {"max_pixels": str(limits.MAX_PIXELS)}
    decoder.copy_opaque = True
