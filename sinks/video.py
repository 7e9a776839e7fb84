"""Annotated video: what each camera saw, with boxes, in a file of its own."""

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from sinks.encoding import Film
from sinks.overlay import draw
from streamer import Region
from streamer.errors import ConfigError, SinkError, Unwritten
from streamer.frame import Frame
from streamer.result import Result
from streamer.wire import WallClock

CAMERA = "{camera}"

# FFmpeg's MP4 writer keeps the time between two frames in 31 bits, 6.6 hours at 90 kHz; beyond that it
# writes a wrong one and says nothing (seen with PyAV 18.1).
LONGEST_GAP_NS = 6 * 3600 * 1_000_000_000

# Before the next try with a camera whose film failed, seconds; and what must fit on the disk then, bytes.
FIRST_S, LONGEST_S = 0.1, 0.5
ROOM = 1 << 18


class AnnotatedVideo:
    """Writes H.264 in MP4, one file per camera, with the frames' own time stamps.

    `{camera}` in the path stands for the camera's name. A change of the picture's size, or six hours
    without a frame, begins another file: `gate.mp4`, `gate-2.mp4`, or the next number that is
    free. So does a film that could not be written on, as soon as there is room again; the others go on.
    A file that a kill or a full disk cut off can be played up to its last two seconds.
    Raises SinkError, and Unwritten where only one camera's film fails.
    """

    takes = Result
    backlog = 8  # a record should not have holes where the disk takes a moment

    def __init__(self, path: str | os.PathLike[str], *, regions: Mapping[str, Region] | None = None) -> None:
        """`regions`: by camera, to be outlined. Raises ConfigError where the path is no MP4 file's."""
        self._path = os.fspath(path)
        self._polygons = {camera: region.polygons for camera, region in (regions or {}).items()}
        if Path(self._path).suffix.lower() != ".mp4":
            raise ConfigError(f"video {self._path!r}: the file is MP4; end its name in .mp4")
        self._films: dict[str, Film] = {}
        self._last_ns: dict[str, int] = {}
        self._parts: dict[Path, int] = {}  # of each film, as it was asked for: the last one begun
        self._broken: dict[str, Broken] = {}

    def __enter__(self) -> Self:
        """Make the folder, and see that it can be written."""
        folder = Path(self._path.partition(CAMERA)[0] + "…").parent  # as far as it is known by now
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except (FileExistsError, NotADirectoryError) as error:
            raise SinkError(f"{self._path} cannot be written: {error.filename} is no folder") from error
        except OSError as error:
            raise SinkError(
                f"{self._path} cannot be written: {(error.strerror or str(error)).lower()}"
            ) from error
        path = Path(self._path)
        if path.is_dir():
            raise SinkError(f"{self._path} is a folder; give a file's path in it, such as {CAMERA}.mp4")
        if path.exists() and not path.is_file():
            raise SinkError(f"{self._path} cannot be written: it is not an ordinary file")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish every file, also where one cannot be. Where all films are broken off it has failed."""
        failures = [] if self._films else [SinkError(broken.why) for broken in self._broken.values()]
        for film in self._films.values():
            try:
                film.close()
            except SinkError as failure:
                failures.append(failure)
        self._films.clear()
        self._broken.clear()
        if failures and error is None:
            raise failures[0]

    def write(self, result: Result) -> None:
        """Draw and encode one result. Raises Unwritten; the other cameras' films go on."""
        frame = result.frame
        broken = self._broken.get(frame.camera)
        if broken is not None and time.monotonic() < broken.again_s:
            raise Unwritten(broken.why)
        try:
            region = self._polygons.get(frame.camera, ())
            pixels = draw(frame.picture.bgr(), result.detections, caption=caption(frame), region=region)
        except Exception as error:  # somebody else's picture: overwritten meanwhile, or not to be decoded
            raise Unwritten(f"video: a picture of {frame.camera} cannot be read: {error}") from error
        try:
            self._film_for(frame, again=broken is not None).write(pixels, frame.scene_ns)
        except SinkError as error:
            self._give_up(frame.camera)
            pause_s = FIRST_S if broken is None else min(2 * broken.pause_s, LONGEST_S)
            self._broken[frame.camera] = Broken(str(error), pause_s, time.monotonic() + pause_s)
            raise Unwritten(str(error)) from error
        self._broken.pop(frame.camera, None)
        self._last_ns[frame.camera] = frame.scene_ns

    def _film_for(self, frame: Frame, *, again: bool) -> Film:
        film = self._films.get(frame.camera)
        gap_ns = frame.scene_ns - self._last_ns.get(frame.camera, frame.scene_ns)
        if film is not None and film.size == frame.size and gap_ns <= LONGEST_GAP_NS and film.in_place:
            return film
        if film is not None:
            del self._films[frame.camera]  # whatever happens now, it is not closed again
            film.close()
        elif self._films and CAMERA not in self._path:
            first = next(iter(self._films))
            raise SinkError(
                f"{self._path} cannot hold both {first} and {frame.camera}: write {CAMERA} into the path"
            )
        wanted = Path(self._path.replace(CAMERA, frame.camera))
        part, path = self._free(wanted)
        if again:
            _find_room(path.parent)
        film = Film(path, frame.size)
        self._parts[wanted] = part
        self._films[frame.camera] = film
        return film

    def _give_up(self, camera: str) -> None:
        film = self._films.pop(camera, None)
        if film is not None and not film.give_up():
            self._parts[Path(self._path.replace(CAMERA, camera))] -= 1  # nothing is left: the name is free

    def _free(self, path: Path) -> tuple[int, Path]:
        """The next part's number and path, the first that is free: gate-2 may be a camera, or a recording."""
        part = self._parts.get(path, 0) + 1
        if part == 1 and not self._begun(path):
            return part, path  # what an earlier run left there is written over
        part = max(part, 2)
        while (free := path.with_stem(f"{path.stem}-{part}")).exists():
            part += 1
        return part, free

    def _begun(self, path: Path) -> bool:
        """Whether another camera's film went on there."""
        for other, last in self._parts.items():
            if path.parent != other.parent or not path.stem.startswith(f"{other.stem}-"):
                continue
            number = path.stem.removeprefix(f"{other.stem}-")
            if number.isdecimal() and 2 <= int(number) <= last:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Broken:
    """A camera whose film cannot be written: why, and when that is tried again (monotonic)."""

    why: str  # no exception: raised again and again, it would hold on to each picture
    pause_s: float
    again_s: float


def _find_room(folder: Path) -> None:
    """Raise SinkError where there is no room for a second of film: its header alone would always fit."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            room = file.write(bytes(ROOM)) == ROOM
    except OSError as error:
        raise SinkError(f"{folder} cannot be written: {(error.strerror or str(error)).lower()}") from error
    if not room:
        raise SinkError(f"{folder} cannot be written: no space left on device")


def caption(frame: Frame) -> str:
    """The camera's name and the time: of day where it is live, else the file's own."""
    if not frame.live:
        whole, rest = divmod(frame.scene_ns // 1_000_000, 1000)
        return f"{frame.camera}  {timedelta(seconds=whole)}.{rest:03d}"
    moment = datetime.fromtimestamp(WallClock().unix_s(frame.captured_ns)).astimezone()
    return f"{frame.camera}  {moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
