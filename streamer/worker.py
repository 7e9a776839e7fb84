"""One device's worker: takes the newest frames, prepares, infers, hands on.

Two threads of the pipeline run it. `prepare` takes frames and readies the next batch on the CPU
while `infer` has the device; between them lies a ring with one place, and the turns that keep
overlap from buying staleness. Where batches are big, more threads help `prepare`. Tracking and sinks
come after, in other threads.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, cast

from streamer.clock import Clock
from streamer.contracts import Detector, one_after_another
from streamer.detections import Detections
from streamer.errors import ConfigError, DetectorError
from streamer.failures import Failures
from streamer.frame import Frame, View
from streamer.kinds import checked, entered, has_queue, infer, model_info, places, prepare
from streamer.lane import Taken
from streamer.looking import EVERYTHING, Looking, check_known
from streamer.result import ModelInfo
from streamer.ring import Exhausted, Ring, Writer
from streamer.spread import Crew
from streamer.turns import DeviceTurns, Durations, Turn, await_turn
from streamer.window import joining_s


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """A frame that was looked at, on its way to analysis."""

    frame: Frame
    detections: Detections
    model: ModelInfo
    taken_ns: int
    started_ns: int
    inferred_ns: int
    batch: int
    lost: Mapping[str, int]
    done: Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    detector: Detector
    taken: Sequence[Taken[Frame]]
    taken_ns: int
    prepared: Any


class Worker:
    """Serves all cameras of one device.

    `frames` has the detector as each lane's group: cameras with the same detector share batches.
    """

    def __init__(self, frames: Ring[Frame], clock: Clock) -> None:
        self.frames = frames
        self.cameras: dict[str, tuple[Detector, Looking]] = {}  # filled before it starts
        # One account for each step: a frame that fails to be prepared comes after the one that the
        # device is looking at, whose result must not answer for it.
        self.unprepared = Failures(clock)
        self.failures = Failures(clock)
        self.ready = False  # the detectors are open and warm
        self._clock = clock
        self._preparing = Durations()
        self._turns: Ring[Turn] = Ring(clock)
        self._batches: Ring[_Batch] = Ring(clock)
        self._device = DeviceTurns(self._turns.writer(depth=1, live=True), self._preparing)
        self._hand_over = self._batches.writer(depth=1, live=False)
        self._crew = Crew()

    def prepare(self) -> None:
        """The preparing thread's loop: ends when the frames do, or when the device has gone."""
        number = 0
        try:
            while True:
                await_turn(self._turns, number, self._clock.now_ns)
                batch = self._next_batch()
                number += 1
                if not self._hand_over.put(batch):
                    self._discard(batch)
        except Exhausted:
            self.unprepared.check_end()
        finally:
            self._hand_over.close()
            self._turns.leave()
            self._crew.dismiss()

    def help(self) -> None:
        """A helper's loop: takes part in preparing; ends with it."""
        self._crew.help()

    def dismiss(self) -> None:
        """Let the helpers go, also where the preparing thread hangs and cannot."""
        self._crew.dismiss()

    def infer(self, detectors: Sequence[Detector], out: Mapping[str, Writer[Inferred]]) -> None:
        """The device's loop: opens and warms the detectors, looks at batches, hands results on in order."""
        try:
            with ExitStack() as opened:
                for detector in detectors:
                    try:
                        opened.enter_context(entered(detector))
                    except ConfigError:
                        self._check_classes(detector)  # it knows its labels, not whose mistake it is
                        raise
                    self._check_classes(detector, opened=True)
                self.ready = True
                self._device.idle(self._clock.now_ns())
                self._look_at_all(out)
            if not self._batches.exhausted:
                raise DetectorError("a detector hid its own failure: its __exit__ must not return True")
            self.failures.check_end()
        finally:
            self.frames.leave()
            self._turns.leave()
            for batch in self._batches.leave():
                self._discard(batch)
            for writer in out.values():
                writer.close()

    def _check_classes(self, detector: Detector, *, opened: bool = False) -> None:
        """Which labels there are is known now: a class that there is not would never be seen."""
        labels, model = getattr(detector, "labels", ()), model_info(detector).name
        for camera, (its, looking) in self.cameras.items():
            try:
                if its is detector:
                    check_known(looking, labels, model, opened=opened)
            except ConfigError as error:
                raise ConfigError(f"{camera}: {error}") from error

    # ---- the preparing thread

    def _next_batch(self) -> _Batch:
        """The next frames that can be prepared; the turn is ours until there are some."""
        while True:
            wait_s = 0.0 if self._device.busy else joining_s(self._device.execution_s)
            taken = self.frames.take_batch(places, window_s=wait_s)
            batch = self._prepared(taken)
            self.unprepared.check()
            if batch is not None:
                return batch

    def _prepared(self, taken: Sequence[Taken[Frame]]) -> _Batch | None:
        """The batch made ready, without the frames that cannot be; None where none can."""
        if not taken:
            return None
        detector = cast(Detector, taken[0].group)
        taken_ns = self._clock.now_ns()
        good = list(taken)
        bad: dict[Taken[Frame], Exception] = {}
        prepared: Any = None
        while good:
            try:
                prepared = prepare(detector, [self._view(one) for one in good], self._crew.spread)
                break
            except Exception as error:
                alone = ((entry, self._error_of(detector, entry)) for entry in good if len(good) > 1)
                guilty = {entry: its_own for entry, its_own in alone if its_own is not None}
                bad |= guilty or dict.fromkeys(good, error)
                good = [entry for entry in good if entry not in bad]
        self._preparing.add(self._clock.now_ns() - taken_ns)
        settled = []
        for entry in taken:  # in order: each frame answers for those before it
            if entry in bad:
                self.unprepared.add(entry, bad[entry])
            else:
                settled.append(self.unprepared.settle(entry))
        return _Batch(detector, settled, taken_ns, prepared) if settled else None

    def _view(self, taken: Taken[Frame]) -> View:
        _, looking = self.cameras.get(taken.item.camera, (None, EVERYTHING))
        return looking.view(taken.item)

    def _error_of(self, detector: Detector, taken: Taken[Frame]) -> Exception | None:
        """Why a frame cannot be prepared, if it cannot."""
        try:
            prepare(detector, [self._view(taken)], one_after_another)
        except Exception as error:
            return error
        return None

    # ---- the device's thread

    def _look_at_all(self, out: Mapping[str, Writer[Inferred]]) -> None:
        while True:
            try:
                taken = self._batches.take()
            except Exhausted:
                return
            if taken is not None:
                taken.done()
                self._look_at(taken.item, out)
                self.failures.check()

    def _look_at(self, batch: _Batch, out: Mapping[str, Writer[Inferred]]) -> None:
        started_ns = self._clock.now_ns()
        self._device.started(started_ns, batch.detector, live=self.frames.live)
        detector, count = batch.detector, len(batch.taken)
        free_ns = None
        try:
            if has_queue(detector):
                detector.wait(batch.prepared)
                free_ns = self._free(started_ns, detector)
                seen = checked(detector, detector.read(batch.prepared), count)
            else:
                seen = infer(detector, batch.prepared, count)
        except Exception as error:
            self._one_by_one(batch, error, out)
            seen = []
        inferred_ns = self._clock.now_ns()
        if free_ns is None:
            self._free(started_ns, detector)
        for taken, detections in zip(batch.taken, seen, strict=False):
            self._hand_on(batch, taken, detections, (started_ns, inferred_ns), out)

    def _free(self, started_ns: int, detector: Detector) -> int:
        """The device can have the next batch."""
        now_ns = self._clock.now_ns()
        self._device.finished(now_ns, now_ns - started_ns, detector)
        return now_ns

    def _one_by_one(self, batch: _Batch, error: Exception, out: Mapping[str, Writer[Inferred]]) -> None:
        """A batch failed: the frame that spoils it must not cost the other cameras theirs."""
        if len(batch.taken) == 1:
            self.failures.add(batch.taken[0], error)
            return
        for taken in batch.taken:
            started_ns = self._clock.now_ns()
            try:
                prepared = prepare(batch.detector, [self._view(taken)], one_after_another)
                (detections,) = infer(batch.detector, prepared, 1)
            except Exception as its_own:
                self.failures.add(taken, its_own)
            else:
                times_ns = (started_ns, self._clock.now_ns())
                self._hand_on(batch, taken, detections, times_ns, out)

    def _hand_on(
        self,
        batch: _Batch,
        taken: Taken[Frame],
        detections: Detections,
        times_ns: tuple[int, int],
        out: Mapping[str, Writer[Inferred]],
    ) -> None:
        inferred = Inferred(
            frame=taken.item,
            detections=detections,
            model=model_info(batch.detector),
            taken_ns=batch.taken_ns,
            started_ns=times_ns[0],
            inferred_ns=times_ns[1],
            batch=len(batch.taken),
            lost=self.failures.settle(taken).lost,
            done=taken.done,
        )
        if not out[taken.item.camera].put(inferred):
            taken.done()

    def _discard(self, batch: _Batch) -> None:
        for taken in batch.taken:
            self.failures.closed(taken)
