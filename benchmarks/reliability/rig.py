"""Cameras that fail on command, in processes of their own, and what they sent: also across a power cut."""

import contextlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from benchmarks.clips import clip
from benchmarks.reliability.crash import kill_decoder
from streamer.chaos.processes import BadNetwork, TestCamera
from streamer.chaos.scenario import Fault
from streamer.chaos.steps import Obeyed, Steps
from streamer.chaos.words import pictures
from streamer.watermark.sent import SentTimes, sent_times

POWER_OFF = "power_off"  # the camera's process gets SIGKILL; `ok` starts it again
# Our own process that decodes it gets SIGKILL. Over as soon as it is done, as all that begins with `drop`;
# told as a network's: a camera with a way of its own has a port of its own, by which the process is found.
DECODER_CRASH = "drop decoder"
SIZE, FPS = (320, 240), 15
CLIP_S = 20


class Rig:
    """`count` cameras, of which the first `victims` are in a process that can be killed.

    Those in `networked` are reached through an impairment proxy. One thread.
    """

    def __init__(
        self,
        count: int,
        victims: int,
        networked: Sequence[int] = (),
        *,
        size: tuple[int, int] = SIZE,
        fps: int = FPS,
        keyframe_s: float = 1.0,
        seed: int = 0,
    ) -> None:
        self._clips = [clip(size, fps, CLIP_S, number, keyframe_s) for number in range(count)]
        self._victims = victims
        self._ways = {number: way for way, number in enumerate(networked)}
        self._seed = seed
        self._opened = contextlib.ExitStack()
        self._logs: list[tuple[Path, int]] = []  # and the number of the first camera in it
        self._camera: TestCamera | None = None
        self._network: BadNetwork | None = None
        self._port = 0
        self.urls: list[str] = []

    def __enter__(self) -> Self:
        """Start the processes."""
        with contextlib.ExitStack() as opened:
            self._folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            self._power = opened.enter_context(contextlib.ExitStack())
            camera = self._plug_in()
            self._port = camera.port
            self.urls = list(camera.urls)
            if self._clips[self._victims :]:
                log = self._log(self._victims)
                others = TestCamera(self._clips[self._victims :], log)
                self.urls += opened.enter_context(others).urls
            if self._ways:
                proxies = BadNetwork([self.urls[number] for number in self._ways], self._seed)
                self._network = opened.enter_context(proxies)
                for number, way in self._ways.items():
                    self.urls[number] = self._network.urls[way]
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def steps(self, faults: Sequence[Fault]) -> Steps:
        """These faults, done to these cameras; what they show is encoded before."""
        assert self._camera is not None
        self._camera.warm_up([one for one in pictures(faults) if one[0] < self._victims])
        return Steps(faults, self._tell_camera, self._tell_network)

    def sent(self) -> SentTimes:
        """All that was sent, in one account: numbers go on after a power cut."""
        merged = self._folder / "merged.jsonl"
        after: dict[int, int] = {}
        with merged.open("w", encoding="utf-8") as out:
            for log, first in self._logs:
                begins = dict(after)
                for text in log.read_text("utf-8").splitlines():
                    try:
                        line = json.loads(text)
                    except ValueError:  # cut off in the middle of a line
                        break
                    camera = line["camera"] = line["camera"] + first
                    line["frame"] += begins.get(camera, 0)
                    after[camera] = line["frame"] + 1
                    out.write(json.dumps(line) + "\n")
        return sent_times(merged)

    def _tell_camera(self, number: int, words: str) -> Obeyed | None:
        if words == POWER_OFF:
            if self._camera is not None:
                self._camera.kill()
                self._power.close()
                self._camera = None
        elif self._camera is None:
            self._plug_in()
        else:
            return self._camera.order(number, words)
        return None

    def _tell_network(self, number: int, words: str) -> Obeyed | None:
        if words == DECODER_CRASH:
            kill_decoder(self.urls[number])
            return None
        assert self._network is not None
        return self._network.order(self._ways[number], words)

    def _plug_in(self) -> TestCamera:
        camera = TestCamera(self._clips[: self._victims], self._log(0), port=self._port)
        self._camera = self._power.enter_context(camera)
        return camera

    def _log(self, first: int) -> Path:
        self._logs.append((self._folder / f"sent{len(self._logs)}.jsonl", first))
        return self._logs[-1][0]
