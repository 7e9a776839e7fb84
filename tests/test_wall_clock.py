"""The wall clock is set, here and in the camera, while everything runs: nothing stalls, no age below 0."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.boxes import until
from tests.conftest import missing
from tests.running import ROOT, started
from tests.source_clips import make_clip

# Where Debian's package puts it, for each architecture.
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
STEPS = ["+1h", "-1h", "+10y", "-10y", "+0"]
RESULTS_EACH = 12  # of each camera after each step
FPS = 30
STALL_S = 1.5  # pictures come every 33 ms; the machine may be busy

pytestmark = [pytest.mark.debian, pytest.mark.timeout(90)]


class SetClock:
    """The environment of a process whose wall clock can be set while it runs."""

    def __init__(self, file: Path) -> None:
        if not LIBRARIES:
            missing("libfaketime is not installed")
        self._file = file
        self.to("+0")
        self.environment = {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        }

    def to(self, offset: str) -> None:
        # In one go: the other process must never read half of it.
        fresh = self._file.with_suffix(".new")
        fresh.write_text(offset)
        fresh.replace(self._file)


@pytest.fixture
def here(tmp_path: Path) -> SetClock:
    return SetClock(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> SetClock:
    return SetClock(tmp_path / "there")


@pytest.fixture
def camera(tmp_path: Path, there: SetClock) -> Iterator[str]:
    """A real camera in a process of its own, with a clock of its own."""
    clip = make_clip(tmp_path / "clip.mp4", g="15")
    with started("fakecam", clip, "--port", "0", env=there.environment) as process:
        assert process.stdout is not None
        word, url = process.stdout.readline().split()
        assert word == "ready"
        yield url


def test_clocks_are_set_while_it_runs(tmp_path: Path, here: SetClock, there: SetClock, camera: str) -> None:
    (tmp_path / "run.yaml").write_text(
        'model: {use: "mine:Bright"}\n'
        f'cameras:\n  gate: {{source: "{camera}"}}\n  own: {{source: "synthetic:?fps={FPS}&size=128x64"}}\n'
        "sinks: [{use: jsonl, path: lines.jsonl}]\n"
    )
    seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with started("run", tmp_path / "run.yaml", env=here.environment) as process:
        until((tmp_path / "lines.jsonl").exists, 30)
        with (tmp_path / "lines.jsonl").open("rb") as file:
            rest = b""

            def enough(goals: dict[str, int]) -> bool:
                nonlocal rest
                assert process.poll() is None, process.stderr and process.stderr.read()
                *lines, rest = (rest + file.read()).split(b"\n")
                for line in lines:
                    message = json.loads(line)
                    seen[message["camera"]].append(message)
                return all(len(seen[name]) >= goal for name, goal in goals.items())

            for step, other in zip(STEPS, reversed(STEPS), strict=True):
                here.to(step)
                there.to(other)
                until(partial(enough, {name: len(seen[name]) + RESULTS_EACH for name in ("gate", "own")}), 30)
    for messages in seen.values():
        for message in messages:
            assert all(value >= 0 for value in message["latency_ms"].values()), message
            assert message["published"] >= message["captured"] >= message["scene_time"] - 1e-6, message
            assert message["lag_ms"] < 500, message
        for before, after in pairwise(messages):
            assert after["seq"] == before["seq"] + 1
            assert after["epoch"] == before["epoch"], "setting a clock is no reason to connect anew"
            assert 0 < after["captured_mono_ns"] - before["captured_mono_ns"] < STALL_S * 1e9
        moments = [message["published"] for message in messages]
        # The steps did happen: otherwise this test says nothing.
        assert max(moments) - min(moments) > 19 * 365 * 86_400
