"""A whole trial: half of a run without faults, the run with them, the other half without."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.chaos.account import CameraAccount, account
from streamer.chaos.outcome import Outcome, outcome
from streamer.chaos.passing import Pass, run_pass
from streamer.chaos.processes import BadNetwork, TestCamera
from streamer.chaos.scenario import Scenario, Scene
from streamer.chaos.steps import Steps
from streamer.chaos.words import pictures
from streamer.contracts import Detector
from streamer.status import State

CLIP_S = 20  # numbers begin again after that


@dataclass(frozen=True, slots=True)
class CameraTrial:
    """One camera without and with faults."""

    faulty: bool  # something happened to it
    control: CameraAccount
    tried: CameraAccount

    @property
    def fps_ratio(self) -> float | None:
        """What was looked at of what was sent, ÷ the same in the control run."""
        mine, theirs = self.tried.share, self.control.share
        return mine / theirs if mine is not None and theirs else None

    @property
    def age_ratio(self) -> float | None:
        """The 99th percentile of the age, ÷ the same in the control run."""
        return _divided(self.tried.age_p99_ms, self.control.age_p99_ms)

    @property
    def median_age_ratio(self) -> float | None:
        return _divided(self.tried.age_p50_ms, self.control.age_p50_ms)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a scenario."""

    scenario: Scenario
    cameras: Sequence[CameraTrial]
    outcomes: Sequence[Outcome]

    @property
    def lies(self) -> int:
        """Frames that were passed off as something else, over all cameras and both runs."""
        return sum(sum(one.tried.lies.values()) + sum(one.control.lies.values()) for one in self.cameras)

    @property
    def lost(self) -> Sequence[str]:
        """Cameras that should be there at the end and aren't, in order."""
        lasting = {one.camera for one in self.outcomes if not one.must_return}
        missing = {one.camera for one in self.outcomes if one.lost and one.camera not in lasting}
        missing |= {
            one.tried.name
            for one in self.cameras
            if one.tried.state is not State.LIVE and one.tried.name not in lasting
        }
        return sorted(missing, key=lambda name: (len(name), name))

    @property
    def passed(self) -> bool:
        """Nothing lied, also not by saying nothing, and all came back."""
        return not self.lies and not self.lost and not any(one.unflagged for one in self.outcomes)


def try_out(
    scenario: Scenario, detector: Callable[[], Detector], tell: Callable[[str], None] = lambda _: None
) -> Trial:
    """Play a scenario; `detector` is asked for a new one for each pass. Takes 2 × `for` and more.

    Main thread. `tell` gets what is being done, in words. Raises SourceError where a camera does not start.
    """
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="freshframe-chaos-")))
        clips = [scenario.scene.clip] * scenario.scene.count if scenario.scene.clip else None
        if clips is None:
            tell(f"making {scenario.scene.count} clips of {CLIP_S} s")
            clips = list(scenes(scenario.scene, folder))
        else:
            tell(f"painting the watermark of each camera into {clips[0].name}")
        camera = opened.enter_context(
            TestCamera(clips, folder / "sent.jsonl", watermark=scenario.scene.clip is not None)
        )
        urls = list(camera.urls)
        ways = {number: way for way, number in enumerate(scenario.networked)}
        if ways:
            network = opened.enter_context(BadNetwork([urls[number] for number in ways], scenario.seed))
            for number, way in ways.items():
                urls[number] = network.urls[way]
        steps = Steps(scenario.faults, camera.order, lambda number, words: network.order(ways[number], words))
        if wanted := pictures(scenario.faults):
            tell(f"making pictures for {len(wanted)} fault{'s' * (len(wanted) > 1)}")
            camera.warm_up(wanted)
        half_s = scenario.for_s / 2

        def passed(what: str, for_s: float, faults: Steps | None = None) -> Pass:
            tell(f"{what}, {for_s:g} s")
            return run_pass(urls, scenario, detector(), for_s, faults)

        control = [passed("without faults, first half", half_s)]
        tried = passed("with faults", scenario.for_s, steps)
        steps.mend_all()
        control.append(passed("without faults, second half", half_s))
        sent = camera.sent()
    cameras = [
        CameraTrial(number in scenario.faulty, account(control, sent, number), account([tried], sent, number))
        for number in range(scenario.scene.count)
    ]
    return Trial(scenario, cameras, [outcome(one, tried, sent) for one in tried.happened])


def scenes(scene: Scene, folder: Path) -> Iterator[Path]:
    """A clip of the synthetic scene for each camera, with its number in the watermark."""
    from streamer.fakecam.film import film  # noqa: PLC0415 - the encoder loads here
    from streamer.sources.pattern import Pattern  # noqa: PLC0415

    for number in range(scene.count):
        path = folder / f"cam{number}.mp4"
        film(Pattern(scene.size, float(scene.fps), number, scene.fps * CLIP_S), path)
        yield path


def _divided(mine: float | None, theirs: float | None) -> float | None:
    return mine / theirs if mine is not None and theirs else None
