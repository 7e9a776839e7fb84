"""How a network runs best: chosen by measuring, kept, and never believed blindly."""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from detectors.yolo.cpu import tuning
from detectors.yolo.cpu.onnx_engine import OnnxEngine
from detectors.yolo.cpu.tuning import Plan, candidates, cheapest, measure, measured, recall

pytestmark = pytest.mark.timeout(30)
HERE: tuning.Machine = {"network": "n", "imgsz": 64, "library": "l 1", "processor": "p", "cores": 2}
ALLOWED = candidates(2)
KEPT = Plan(2, tuning.SPIN_US)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("FRESHFRAME_CACHE", str(folder))
    return folder


class Clock:
    """Time that passes only while a stand-in is busy: what else the machine does changes nothing."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.thread_time = time.thread_time

    def perf_counter(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tuning, "time", clock)
    return clock


def busy(seconds: float) -> None:
    assert isinstance(tuning.time, Clock)
    tuning.time.now_s += seconds


def network(took_s: Callable[[Plan, int], float], started: list[Plan]) -> Callable[[Plan], tuning.Run]:
    """Stands in for one that takes so long."""

    def start(plan: Plan) -> tuning.Run:
        started.append(plan)
        return lambda count: busy(took_s(plan, count))

    return start


def note(cache: Path) -> Path:
    (found,) = (cache / "measured").glob("*.json")
    return found


def measure_once(started: list[Plan] | None = None, *, batches: bool = False) -> Plan:
    best = {Plan(2, 0): 0.004, KEPT: 0.002, Plan(1, 0): 0.006}
    started = [] if started is None else started
    return measured(HERE, ALLOWED, network(lambda plan, count: best[plan] * count, started), batches=batches)


@pytest.mark.usefixtures("clock")
def test_the_fastest_is_measured_once_and_kept(
    cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "freshframe")
    assert recall(HERE, ALLOWED) is None
    started: list[Plan] = []
    assert measure_once(started) == KEPT
    assert started == ALLOWED
    assert caplog.messages == ["measuring how the network runs best on this machine, once; a few seconds"]
    assert recall(HERE, ALLOWED) == KEPT
    assert measure_once(started) == KEPT, "somebody else had measured meanwhile: his is taken"
    assert started == ALLOWED
    for changed in ({"imgsz": 96}, {"network": "m"}, {"library": "l 2"}, {"processor": "q"}, {"cores": 4}):
        assert recall({**HERE, **changed}, ALLOWED) is None, changed
    assert oct(note(cache).stat().st_mode & 0o077) == "0o0"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[:-9],
        lambda text: b"\xff",
        lambda text: text.replace(b'"l 1"', b'"\xff"'),
        lambda text: text.replace(b'"cores":2', b'"cores":3'),
        lambda text: text.replace(b'"threads":2', b'"threads":4096'),
        lambda text: text.replace(b'"threads":2', b'"threads":"2"'),
        lambda text: text.replace(b'"batch":1', b'"batch":100000'),
        lambda text: text.replace(b'"batch":1', b'"batch":1,"more":1'),
        lambda text: b"[" * 50_000,
        lambda text: json.dumps({"machine": {}, "plan": {"threads": 2}}).encode(),
    ],
)
@pytest.mark.usefixtures("clock")
def test_a_damaged_or_foreign_note_is_measured_anew(cache: Path, damage: Callable[[bytes], bytes]) -> None:
    measure_once()
    where = note(cache)
    where.write_bytes(damage(where.read_bytes()))
    assert recall(HERE, ALLOWED) is None
    assert measure_once() == KEPT
    assert recall(HERE, ALLOWED) == KEPT
    assert list(where.parent.glob(".*")) == [where.parent / ".lock"]


@pytest.mark.usefixtures("clock")
def test_a_cache_that_cannot_be_written(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.write_text("a file where the folder should be")
    for _ in range(2):
        assert measure_once() == KEPT
    assert [one for one in caplog.messages if "cannot be kept" in one and str(cache) in one]


@pytest.mark.usefixtures("clock")
def test_a_batch_has_to_be_worth_the_wait() -> None:
    best = Plan(1, 0)

    def chosen(per_frame: dict[int, float]) -> int:
        start = network(lambda plan, count: per_frame[count] * count, [])
        return measure([best], start, tuning.BATCHES).batch

    assert chosen({1: 0.002, 2: 0.00185, 4: 0.00182}) == 1
    assert chosen({1: 0.004, 2: 0.002, 4: 0.0035}) == 2
    assert chosen({1: 0.004, 2: 0.002, 4: 0.001}) == 4


def test_the_time_is_bounded(clock: Clock) -> None:
    started: list[Plan] = []
    plan = measure(ALLOWED, network(lambda plan, count: 0.1 * count, started), tuning.BATCHES)
    assert plan in ALLOWED
    assert clock.now_s < tuning.BUDGET_S + 2


def test_one_core_leaves_nothing_to_measure(cache: Path) -> None:
    started: list[Plan] = []
    assert measured(HERE, candidates(1), network(lambda *_: 0, started), batches=True) == Plan(1, 0)
    assert started == []
    assert not cache.exists()


@given(st.dictionaries(st.sampled_from(candidates(8)), st.floats(0.001, 1), min_size=1))
def test_never_slower_than_the_fastest_by_more_than_the_noise(took_s: dict[Plan, float]) -> None:
    best = cheapest(took_s)
    assert took_s[best] <= min(took_s.values()) * (1 + tuning.NOISE)
    for plan, value in took_s.items():
        if value <= min(took_s.values()) * (1 + tuning.NOISE):
            assert (best.threads, best.spin_us) <= (plan.threads, plan.spin_us)


@pytest.mark.parametrize("cores", [1, 2, 3, 6, 64, 192])
def test_candidates(cores: int) -> None:
    plans = candidates(cores)
    assert plans[0] == Plan(cores, 0)
    assert len(set(plans)) == len(plans) <= 8
    assert all(1 <= plan.threads <= cores for plan in plans)


def test_an_engine_measures_once(tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "freshframe")
    weights = np.random.default_rng(0).normal(0, 0.1, (8, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Reshape", ["c", "s"], ["output"]),
        ],
        "conv",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ("batch", 3, 64, 64))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ("batch", 8, 4096))],
        [
            onnx.numpy_helper.from_array(weights, "w"),
            onnx.numpy_helper.from_array(np.array([0, 8, -1]), "s"),
        ],
    )
    path = tmp_path / "conv.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    for _ in range(2):
        engine = OnnxEngine(path, 64)
        assert engine.max_batch in (1, 2, 4)
        for count in (1, 3):  # any count runs, whatever was found best
            canvas = engine.canvas(count, (64, 64))
            canvas[...] = 7
            assert engine.run(engine.stage(canvas)).shape == (count, 8, 4096)
    alone = len(os.sched_getaffinity(0)) == 1
    assert len(caplog.messages) == (0 if alone else 1)
