"""What the boxes round the pipeline look like. They inherit nothing; any class of this shape will do.

Boxes are passive: they start no threads. A box is entered, used and left in one and the same thread
(sockets, CUDA and decoders want that), except for `StagedDetector.prepare`, which says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:  # NumPy loads with them, and `doctor` has to run where that is broken
    from streamer.detections import Detections
    from streamer.frame import Picture, View

B = TypeVar("B")
T_contra = TypeVar("T_contra", contravariant=True)


class Box(Protocol):
    """Resources open in `__enter__` and close in `__exit__`, in the thread that uses them."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """One picture as a source yields it; the camera's loop makes a Frame of it.

    A live source whose `pts_ns` run slower than real time looks like a link that is too slow: its
    pictures are called late and it is connected anew now and then. Where stamps cannot be relied on,
    `None` is better.
    """

    picture: Picture
    captured_ns: int  # monotonic, when its packet came out of the demuxer: never before a blocking read
    pts_ns: int | None = None  # presentation time since the stream's start; live, it runs in real time
    source_ns: int | None = None  # the camera's own wall clock, Unix ns
    keyframe: bool = False
    skipped: int = 0  # pictures before this one that were not decoded because they came too late
    segmented: bool = False  # it came with others in a segment (HLS): late by nature, and no backlog
    damaged: bool = False  # it leans on data that was lost or could not be decoded
    undecoded: int = 0  # pictures before this one that were not decoded because only keyframes are wanted


class Source(Box, Protocol):
    """Where pictures come from. Iterating blocks until the next picture or the end.

    Entering connects, iterating yields; both raise SourceError. A live source that simply stops
    yielding has ended and may be entered again: each entry is a new epoch. A source that waits on
    its own (playing a recording in real time) has a `stop()` too, called from another thread.

    Optional: `renew()` returns another source for the same place, not yet entered. A camera whose thread
    hangs in native code goes on with that one; without it, it can only say that it hangs. `sparse`
    (bool): its pictures may be seconds apart though all is well, and it notices silence by itself.
    """

    @property
    def live(self) -> bool:
        """True where pictures come by themselves and old ones are worthless."""

    @property
    def ends(self) -> bool:
        """True for recordings, also when they are played in real time: their end is final."""

    def __iter__(self) -> Iterator[Captured]: ...


@runtime_checkable
class Detector(Box, Protocol):
    """Recognises things. Optional attributes: `info` (ModelInfo) and `max_batch` (int, default 1)."""

    labels: Sequence[str]

    def detect(self, views: Sequence[View]) -> list[Detections]:
        """One Detections for each view, in order, in pixels of the view's frame."""


@runtime_checkable
class StagedDetector(Detector, Protocol):
    """A detector whose preparation (CPU) can run beside its inference (device)."""

    def prepare(self, views: Sequence[View]) -> Any:
        """Make a batch ready; what it returns stays good until it is inferred. Any thread.

        The next batch is prepared while another thread is in `infer` with this one.
        """

    def infer(self, batch: Any) -> list[Detections]:
        """Look at a prepared batch; one Detections for each of its views, in order."""


# Runs independent steps, maybe side by side. Returns when all are done; raises what the first of the
# list that failed raised.
Spread = Callable[[Sequence[Callable[[], object]]], None]


def one_after_another(steps: Sequence[Callable[[], object]]) -> None:
    """The Spread of whoever has one thread."""
    for step in steps:
        step()


@runtime_checkable
class SpreadDetector(StagedDetector, Protocol):
    """A detector whose preparation falls into steps that can run side by side."""

    def prepare_spread(self, views: Sequence[View], spread: Spread) -> Any:
        """`prepare`, with its steps handed to `spread`; called instead of it. Any thread."""


@runtime_checkable
class QueueDetector(StagedDetector, Protocol):
    """A detector whose results are read on the CPU while its device has the next batch already."""

    def wait(self, batch: Any) -> None:
        """Return when the device is done with a prepared batch and free for the next."""

    def read(self, batch: Any) -> list[Detections]:
        """What a batch that was waited for shows. Both are called instead of `infer`, in its thread."""


class Sink(Box, Protocol[T_contra]):
    """Where results go. `takes` names the type of the items it wants: Result, Health, Frame, or a tuple.

    Frames are those of live cameras as they come, before anybody has looked at them, for whoever shows
    what is now: only the newest of each camera waits. A recording's come with their results.

    One that fails in `write` is left, and entered again until it works; what comes meanwhile is dropped
    and counted. So it must be possible to enter it again after it was left, also after a failure. One
    that cannot write a single result, or those of one camera, raises `Unwritten` and stays entered.

    Optional: `backlog` (int, default 1), how many results of a live camera may wait while `write` is
    busy. One is the freshest; what keeps a record wants a few, for a moment's hiccup. `idle()` is called,
    in the sink's thread, whenever nothing has come for 50 ms. Both `write` and `idle` may raise StopAsked:
    whoever watches wants the run to end.
    """

    @property
    def takes(self) -> type[Any] | tuple[type[Any], ...]:
        """A class attribute will do."""

    def write(self, item: T_contra, /) -> None:
        """Write one item. May block: it runs in the sink's own thread. Raises SinkError or OSError."""
