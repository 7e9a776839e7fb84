"""The soak's own arithmetic: it finds what grows, and says nothing of what does not."""

import ctypes
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmarks.soak.__main__ import MIB, Course, Sample, told
from benchmarks.soak.inside import Inside, handed_out
from benchmarks.soak.slope import floors, theil_sen
from benchmarks.soak.watched import GoneError, Holding, holding
from tests.running import ROOT


def noise(seed: int, count: int, memory: float) -> list[float]:
    """Each value holds on to so much of the one before."""
    rng = random.Random(seed)
    found = [rng.gauss(0, 1)]
    while len(found) < count:
        found.append(memory * found[-1] + rng.gauss(0, 1))
    return found


def test_the_slope_of_a_line_is_found_among_outliers() -> None:
    xs = [float(x) for x in range(40)]
    ys = [3.0 * x + 7 for x in xs]
    ys[5], ys[30] = 1e6, -1e6
    found = theil_sen(xs, ys)
    assert found.value == pytest.approx(3.0)
    assert found.low <= 3.0 <= found.high


@pytest.mark.parametrize(("memory", "share"), [(0.0, 0.92), (0.6, 0.85)])
def test_the_interval_holds_the_truth_as_often_as_it_says(memory: float, share: float) -> None:
    """Also where each sample depends on the one before, as memory does; there it is still a little narrow."""
    xs, held, rounds = [float(x) for x in range(40)], 0, 200
    for seed in range(rounds):
        found = theil_sen(xs, [0.5 * x + y for x, y in zip(xs, noise(seed, 40, memory), strict=True)])
        held += found.low <= 0.5 <= found.high
    assert held / rounds >= share


def test_what_is_there_for_a_moment_only_is_no_growth() -> None:
    rng = random.Random(2)
    xs = [float(x) for x in range(600)]
    ys = [100 + rng.choice([0, 0, rng.uniform(0, 50) * x / 600]) for x in xs]
    assert theil_sen(*floors(xs, ys)).value == 0


def test_one_step_is_not_yet_growth() -> None:
    found = theil_sen(*floors([float(x) for x in range(480)], [5.0] * 240 + [6.0] * 240))
    assert found.low == 0


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="4 points or more"):
        theil_sen([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])


def course(
    memory: Callable[[int], float],
    descriptors: Callable[[int], int] = lambda second: 40,
    handed_out: Callable[[int], int | None] = lambda second: None,
) -> Course:
    """Ten minutes of a process, twenty reconnects a second; memory in bytes by the second."""
    samples: Sequence[Sample] = [
        Sample(
            float(second),
            20 * second,
            Holding(round(memory(second)), 200 * MIB, 0, descriptors(second), 30, 0, 0, 0),
            handed_out(second),
        )
        for second in range(600)
    ]
    return Course(samples, 12_000, 0, {}, [], 1, 0, [])


def test_what_grows_for_certain_fails_and_what_is_flat_does_not() -> None:
    rng = random.Random(3)
    flat = course(lambda second: 100 * MIB + rng.uniform(0, 2) * MIB)
    leaking = course(lambda second: 100 * MIB + 20 * second * 400 + rng.uniform(0, 2) * MIB)
    opening = course(lambda second: 100 * MIB, lambda second: 40 + second // 20)
    assert not told(flat, 10, 1)[1]
    report, grows = told(leaking, 10, 1)
    assert grows
    each = report.figures["bytes per reconnect"]
    assert each["low"] <= 400 <= each["high"]
    assert any("for each forced reconnect" in line and "for certain" in line for line in report.verdicts)
    report, grows = told(opening, 10, 1)
    assert grows
    assert any(line.startswith("descriptors") and "for certain" in line for line in report.verdicts)


def test_a_leak_within_what_malloc_keeps_is_seen_from_inside(tmp_path: Path) -> None:
    hidden = course(lambda second: 100 * MIB, handed_out=lambda second: 60 * MIB + second * 4000)
    report, grows = told(hidden, 10, 1)
    assert grows
    assert any(line.startswith("handed out") and "for certain" in line for line in report.verdicts)
    inside = Inside(str(tmp_path / "inside.txt"))
    assert handed_out(tmp_path / "inside.txt") is None
    found = []
    for size in (0, 20):
        kept = ctypes.create_string_buffer(size * MIB + 1)
        inside._next_s = 0.0
        with inside:
            inside.write(None)  # type: ignore[arg-type] # it only counts that something comes
        found.append(handed_out(tmp_path / "inside.txt"))
        del kept
    assert found[0] is not None
    assert found[1] is not None
    assert 19 * MIB < found[1] - found[0] < 22 * MIB


THREADS = """
import sys, threading
from pathlib import Path
import numpy as np
from benchmarks.soak.inside import Inside, handed_out
from streamer.quality.small import reduced

inside, path = Inside(sys.argv[1]), Path(sys.argv[1])

def held():
    inside._next_s = 0.0
    inside.write(None)
    return handed_out(path)

def look(count):
    for _ in range(count):
        thread = threading.Thread(target=reduced, args=(np.zeros((240, 320), np.uint8),))
        thread.start()
        thread.join()

look(100)
before = held()
look(400)
print((held() - before) / 400)
"""


def test_nothing_is_kept_of_a_thread_that_looked_at_a_picture(tmp_path: Path) -> None:
    line = [sys.executable, "-c", THREADS, str(tmp_path / "inside.txt")]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 100, "bytes for each thread; OpenCV with threads of its own keeps 864"


def test_what_a_process_holds_is_seen_from_outside() -> None:
    code = "import os, subprocess, sys; print(flush=True); input(); held = bytearray(os.urandom(64 << 20));"
    code += "fds = [os.open('/dev/null', 0) for _ in range(9)]; c = subprocess.Popen(['sleep', '60']);"
    code += "print(flush=True); input(); c.kill()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = holding(process.pid)
        print(file=process.stdin, flush=True)
        process.stdout.readline()
        after = holding(process.pid)
        print(file=process.stdin, flush=True)
    assert 64 * MIB <= after.anonymous_bytes - before.anonymous_bytes < 70 * MIB
    assert after.descriptors - before.descriptors >= 9
    assert (before.children, after.children) == (0, 1)
    assert after.children_bytes > 0
    with pytest.raises(GoneError):
        holding(process.pid)
