"""A camera whose every connection is in the test's hand: it shows pictures, hangs, wakes, breaks."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

from boxes import picture, until
from driven import Stepped

from streamer import Camera, Captured, Frame, Quality, Ring, State, Status, Writer


class Line:
    """One connection. What is put is yielded, raised, or (None) the end; while nothing is, it hangs."""

    def __init__(self) -> None:
        self.items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.asked = 0  # how often somebody wanted the next picture
        self.closed = False


class Site:
    """Where taps connect to. `opens` may hang or raise; `stopping` is what a tap does when told to stop."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.opens: Callable[[], None] = lambda: None
        self.stopping: Callable[[Line | None], None] = lambda line: None

    @property
    def line(self) -> Line:
        return self.lines[-1]


class Tap:
    """A live source without a successor."""

    live = True
    ends = False

    def __init__(self, site: Site) -> None:
        self.site = site
        self.line: Line | None = None

    def __enter__(self) -> Self:
        self.line = Line()
        self.site.lines.append(self.line)
        self.site.opens()
        return self

    def __exit__(self, *exc: object) -> None:
        assert self.line is not None
        self.line.closed = True

    def stop(self) -> None:
        self.site.stopping(self.line)

    def __iter__(self) -> Iterator[Captured]:
        assert self.line is not None
        while True:
            self.line.asked += 1
            item = self.line.items.get(timeout=25)
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item


class RenewableTap(Tap):
    """One that can be replaced."""

    def renew(self) -> Tap:
        return RenewableTap(self.site)


class Watched:
    """A camera with such a source in its thread, by a clock that the test moves."""

    def __init__(self, kind: type[Tap] = RenewableTap, **more: Any) -> None:
        self.site = Site()
        self.clock = Stepped(10**9)
        self.camera = Camera("gate", kind(self.site), clock=self.clock, seed=3, **more)
        self.ring: Ring[Frame] = Ring()
        self.writer: Writer[Frame] = self.ring.writer(depth=100_000, live=True)
        self.changes: list[Status] = []
        self.qualities: list[tuple[int, Quality]] = []
        self.told_ns: list[int] = []
        self.thread = threading.Thread(target=self._run, name="the loop", daemon=True)

    def _run(self) -> None:
        self.camera.run(self.writer, self._changed)

    def _changed(self, camera: Camera) -> None:
        assert threading.current_thread() is self.thread
        self.told_ns.append(self.clock.now_ns())
        if not self.changes or self.changes[-1] is not camera.status:
            self.changes.append(camera.status)
        if not self.qualities or self.qualities[-1][1] is not camera.quality:
            self.qualities.append((self.clock.now_ns(), camera.quality))

    def __enter__(self) -> Self:
        self.thread.start()
        until(lambda: len(self.site.lines) > 0)
        self.clock.settle()
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()
        for line in self.site.lines:
            line.items.put(None)

    def end(self) -> None:
        """Stop it; while its loop waits for a thread, time passes."""
        self.camera.stop()
        while self.thread.is_alive():
            self.clock.advance(0.01)
            self.thread.join(0.002)

    def stands(self, state: State) -> bool:
        """Whether that is its state."""
        return self.camera.status.state is state

    def shows(self, quality: Quality) -> bool:
        """Whether that is its quality."""
        return self.camera.quality == quality

    def ready(self, line: Line) -> None:
        """Wait until somebody waits for a picture of this connection, or it is over."""
        until(lambda: line.asked > 0 or line.closed, step_s=0.0002)

    @property
    def states(self) -> list[State]:
        return [change.state for change in self.changes]

    def shot(self, **more: Any) -> Captured:
        """A picture that comes now and was taken now."""
        now_ns = self.clock.now_ns()
        return Captured(picture(), now_ns, more.pop("pts_ns", now_ns), **more)

    def show(self, line: Line | None = None, **more: Any) -> None:
        """A picture comes; wait until its reader waits for the next one."""
        line = line or self.site.line
        self.ready(line)
        asked = line.asked
        line.items.put(self.shot(**more))
        until(lambda: line.asked > asked or line.closed, step_s=0.0002)
        self.heard()

    def heard(self) -> None:
        """Wait until the loop has heard what its reader left for it, and waits again."""
        tally = self.camera._tally
        until(lambda: not tally.news and not tally.quality_changed, step_s=0.0002)
        self.clock.settle()

    def film(self, seconds: float, fps: float = 25, **more: Any) -> None:
        """Pictures come for so long; the last one has just come."""
        for _ in range(round(seconds * fps)):
            self.clock.pass_s(1 / fps)
            self.show(**more)

    def frames(self) -> list[Frame]:
        """What was handed on so far, each once."""
        frames = []
        while self.writer.waiting:
            taken = self.ring.take()
            assert taken is not None
            frames.append(taken.item)
        return frames

    def check(self, handed_on: list[Frame]) -> None:
        """Nothing is lost unnoticed, nothing comes twice or out of order."""
        assert self.camera.captured == len(handed_on) + sum(self.writer.dropped.values())
        places = [(frame.epoch, frame.index) for frame in handed_on]
        assert places == sorted(set(places))
        assert len({frame.index for frame in handed_on}) == len(handed_on)


class Eyes:
    """Sees what the test says."""

    def __init__(self) -> None:
        self.sees = Quality.FINE
        self.connections = 0
        self.looks = 0
        self.broken = False
        self.busy: Callable[[], None] = lambda: None

    def connected(self) -> None:
        self.connections += 1

    def look(self, captured: Captured, scene_ns: int) -> Quality:
        assert scene_ns == captured.captured_ns
        self.looks += 1
        self.busy()
        if self.broken:
            raise ValueError("blind")
        return self.sees
