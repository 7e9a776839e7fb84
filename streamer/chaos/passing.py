"""One pass: a pipeline with all cameras, in which faults happen when they are due."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamer.camera import Camera
from streamer.chaos.scenario import Scenario
from streamer.chaos.steps import Happened, Steps
from streamer.chaos.witness import Change, Seen, Witness
from streamer.contracts import Detector, Source
from streamer.errors import Cause, SourceError
from streamer.pipeline import Pipeline
from streamer.quality.watch import PictureWatch
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.stats import CameraStats
from streamer.status import State

READY_S = 30.0  # for all cameras to be there; a network may have to be loaded
SETTLE_S = 1.0
TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass gave, by the camera's name. Monotonic ns."""

    begun_ns: int
    ended_ns: int
    seen: Mapping[str, Sequence[Seen]]  # from the very start on
    changes: Mapping[str, Sequence[Change]]
    before: Mapping[str, CameraStats]  # as it stood when it began
    after: Mapping[str, CameraStats]
    happened: Sequence[Happened] = ()

    @property
    def seconds(self) -> float:
        return (self.ended_ns - self.begun_ns) / 1e9


def run_pass(
    urls: Sequence[str], scenario: Scenario, detector: Detector, for_s: float, steps: Steps | None = None
) -> Pass:
    """Watch the cameras for so long from the moment on that all of them are there. Main thread.

    Raises SourceError where one does not come, and what ended the pipeline.
    """
    witness = Witness()
    pipeline = Pipeline(on_status=witness.changed)
    names = [f"cam{number}" for number in range(len(urls))]
    for name, url in zip(names, urls, strict=True):
        pipeline.add(Camera(name, _source(url, scenario), pictures=PictureWatch()), detector)
    pipeline.sink(witness, required=True)
    try:
        pipeline.__enter__()
        _wait_for_all(pipeline)
        pipeline.wait(SETTLE_S)
        before = _stats(pipeline)
        begun_ns = time.monotonic_ns()
        while (left_s := for_s - (time.monotonic_ns() - begun_ns) / 1e9) > 0:
            due_s = steps.next_s if steps is not None else None
            if steps is not None and due_s is not None and for_s - left_s >= due_s:
                steps.do()
            elif pipeline.wait(min(left_s, TICK_S)):
                break
        ended_ns = time.monotonic_ns()
        after = _stats(pipeline)
    finally:
        pipeline.__exit__(None, None, None)
    if pipeline.error is not None:
        raise pipeline.error
    changes = {name: [change for of, change in witness.changes if of == name] for name in names}
    happened = steps.happened() if steps is not None else ()
    return Pass(begun_ns, ended_ns, dict(witness.seen), changes, before, after, happened)


def _source(url: str, scenario: Scenario) -> Source:
    options = SourceOptions(transport=scenario.transport)
    if scenario.isolation == "process":
        from streamer.isolation import Isolated  # noqa: PLC0415 - only where it is wanted

        return Isolated(parse_address(url), options)
    return open_source(parse_address(url), options)


def _wait_for_all(pipeline: Pipeline) -> None:
    deadline_s = time.monotonic() + READY_S
    while not pipeline.wait(TICK_S):
        absent = [camera for camera in pipeline.stats().cameras if not camera.processed]
        if not absent:
            return
        if time.monotonic() > deadline_s:
            one = absent[0]
            why = one.status.why or f"it is {one.status.state}"
            if one.status.state is State.LIVE:
                why = "its frames came, but none was looked at"
            raise SourceError(
                Cause.SILENCE, f"{one.name} was not there after {READY_S:.0f} s, without a fault: {why}"
            )


def _stats(pipeline: Pipeline) -> Mapping[str, CameraStats]:
    return {camera.name: camera for camera in pipeline.stats().cameras}
