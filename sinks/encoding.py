"""One film: pictures in, an MP4 file with H.264 out."""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streamer.errors import SinkError
from streamer.opencv import cv2

TIME_BASE = Fraction(1, 90_000)
KEYFRAME_EVERY = 2 * 90_000  # what a kill costs at most, and how far a player has to seek

# Fragments, one for each keyframe: a kill leaves them playable, and nothing is kept in memory for an
# index at the end (72 bytes a frame would be 190 MB for a day at 30 fps).
CONTAINER = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
# No B-frames and no look-ahead: at one frame a second the encoder would keep ten seconds to itself, and
# a kill would take them. One thread: the cores are the network's.
CODEC = {"preset": "veryfast", "crf": "23", "tune": "zerolatency", "threads": "1"}

BT709 = 1  # of ITU-T H.273: what players take for granted at these sizes


class Film:
    """Used in one thread. All methods raise SinkError; after that nothing but `give_up` is of use."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self.size = size  # width and height of what comes in; the film's own is even
        self.path = path
        self._first_ns: int | None = None
        self._last_pts = -1
        self._keyframe_pts: int | None = None
        self._failed = False
        self._whole = 0  # bytes up to the end of the last fragment that is in the file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._claim = _claimed(path)
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._container = av.open(str(path), "w", format="mp4", container_options=CONTAINER)
            self._stream = self._container.add_stream("libx264", options=CODEC)
        except (av.FFmpegError, OSError) as error:
            if os.fstat(self._claim).st_size == 0:  # else it is somebody's film of before
                path.unlink(missing_ok=True)
            os.close(self._claim)
            raise self._failure(error) from error
        assert isinstance(self._stream, VideoStream)
        self._set_up(self._stream)

    def write(self, pixels: NDArray[np.uint8], time_ns: int) -> None:
        """One picture, (H, W, 3) uint8 BGR, at its time; times count from the first one's."""
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:  # H.264 at 4:2:0 has even sides
            edges = 0, height % 2, 0, width % 2
            pixels = np.asarray(cv2.copyMakeBorder(pixels, *edges, cv2.BORDER_REPLICATE), np.uint8)
        frame = VideoFrame.from_ndarray(pixels, format="bgr24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="itu709", threads=1)
        if self._first_ns is None:
            self._first_ns = time_ns
        pts = round((time_ns - self._first_ns) * 1e-9 / TIME_BASE)
        if pts <= self._last_pts:  # time went back, at a reconnect: go on from here at its own pace
            pts = self._last_pts + 1
            self._first_ns = time_ns - round(pts * TIME_BASE * 1_000_000_000)
        frame.pts, frame.time_base, self._last_pts = pts, TIME_BASE, pts
        if self._keyframe_pts is None or pts - self._keyframe_pts >= KEYFRAME_EVERY:
            frame.pict_type, self._keyframe_pts = PictureType.I, pts
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
                if packet.is_keyframe and pts:  # the fragment before it went out
                    self._whole = os.fstat(self._claim).st_size
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    @property
    def in_place(self) -> bool:
        """Whether the file is still where it was begun, and nobody has moved or deleted it."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._claim))
        except OSError:
            return False

    def close(self) -> None:
        """Finish the file, once; then it does nothing."""
        if self._claim < 0:
            return
        try:
            if not self._failed:  # FFmpeg crashes when it is flushed into a file that refused its header
                self._container.mux(self._stream.encode())
            self._container.close()
            if not self._failed:
                _check_end(self._claim, self._whole)
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        finally:
            self._leave()

    def give_up(self) -> bool:
        """Close a film that cannot be written on: what is whole can be played. False where nothing is."""
        self._failed = True
        with suppress(SinkError):
            self.close()
        return self._whole > 0

    def _leave(self) -> None:
        with suppress(av.FFmpegError, OSError):  # it has said so before
            self._container.close()
        if self._failed:
            with suppress(OSError):  # a disk that takes nothing back either
                self._cut()
        # Its number may be another thread's file by the time that somebody closes it again.
        claim, self._claim = self._claim, -1
        os.close(claim)

    def _cut(self) -> None:
        """Take away the fragment that did not get in whole; and the file, where it has no other."""
        if self._whole:
            os.ftruncate(self._claim, self._whole)
        elif self.in_place:
            self.path.unlink()

    def _set_up(self, stream: VideoStream) -> None:
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        context = stream.codec_context
        context.gop_size = 1_000_000  # keyframes are set by time, not by count
        context.color_primaries = context.color_trc = context.colorspace = BT709

    def _failure(self, error: OSError | av.FFmpegError) -> SinkError:
        self._failed = True
        return SinkError(f"{self.path} cannot be written: {(error.strerror or str(error)).lower()}")


def _check_end(claim: int, start: int) -> None:
    """Raise OSError unless whole boxes follow from `start` to the end, the index of fragments last.

    FFmpeg says nothing where the last bytes do not get in (seen with PyAV 18.1). Each box begins with
    its size and type, 4 bytes each, the size big-endian (ISO/IEC 14496-12, 4.2).
    """
    end, kind = os.fstat(claim).st_size, b""
    while start < end:
        head = os.pread(claim, 8, start)
        kind = head[4:]
        start += max(8, int.from_bytes(head[:4], "big"))
    if start != end or kind != b"mfra":
        raise OSError(errno.ENOSPC, "its end did not get in; is the disk full?")


def _claimed(path: Path) -> int:
    """Hold the file against other runs, by a lock that ends with this descriptor. Raises OSError."""
    # Not blocking: opening a pipe would wait for its reader, in native code that no signal reaches.
    claim = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    refusal = None
    if stat.S_ISREG(os.fstat(claim).st_mode):
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refusal = OSError(errno.EBUSY, "another run is writing it; choose another path")
        except OSError:
            pass  # a file system without locks: better unguarded than not at all
    else:
        refusal = OSError(errno.EINVAL, "it is not an ordinary file")
    if refusal is not None:
        os.close(claim)
        raise refusal
    return claim
