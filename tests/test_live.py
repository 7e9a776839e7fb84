"""Whole pipelines on real cameras: RTSP from fakecam, and from a server that nobody here wrote."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from streamer import Camera, Pipeline, Result, State
from streamer.fakecam import FakeCam
from streamer.sources import SourceOptions, open_source, parse_address
from tests.gst_running import gst_camera
from tests.mine import Bright
from tests.source_clips import make_clip

PATIENCE_S = 20.0


class Keep:
    """Keeps the results, and lets a test wait for the ones it wants."""

    takes = Result
    backlog = 8  # a record

    def __init__(self) -> None:
        self.results: dict[str, list[Result]] = defaultdict(list)
        self._changed = threading.Condition()

    def __enter__(self) -> "Keep":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def write(self, result: Result) -> None:
        with self._changed:
            self.results[result.frame.camera].append(result)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(wanted, PATIENCE_S), {
                camera: len(results) for camera, results in self.results.items()
            }

    def more(self, camera: str, count: int) -> None:
        """Wait for so many further results of a camera."""
        goal = len(self.results[camera]) + count
        self.wait(lambda: len(self.results[camera]) >= goal)


@contextmanager
def watching(sources: dict[str, str], transport: str = "tcp") -> Iterator[tuple[Pipeline, Keep]]:
    """A running pipeline; at its end its account is checked."""
    pipeline, keep, detector = Pipeline(), Keep(), Bright()
    for name, text in sources.items():
        source = open_source(parse_address(text), SourceOptions(transport=transport))
        pipeline.add(Camera(name, source, seed=1), detector)
    pipeline.sink(keep)
    with pipeline:
        yield pipeline, keep
    assert pipeline.error is None
    for camera in pipeline.stats().cameras:
        assert camera.in_flight == 0, camera
        results = keep.results[camera.name]
        assert camera.processed == len(results)
        for before, after in pairwise(results):
            assert after.frame.index - before.frame.index - 1 == sum(after.dropped.values())
            assert after.frame.captured_ns > before.frame.captured_ns
            assert after.frame.scene_ns > before.frame.scene_ns


def status(pipeline: Pipeline, name: str) -> State:
    return next(camera.status.state for camera in pipeline.stats().cameras if camera.name == name)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("live") / "clip.mp4", count=60, bf="0", g="15")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_several_cameras_at_once(clip: Path, transport: str) -> None:
    with FakeCam([clip] * 4) as fake:
        sources = {f"cam{i}": url for i, url in enumerate(fake.urls)}
        with watching(sources, transport) as (pipeline, keep):
            keep.wait(lambda: all(len(keep.results[name]) >= 30 for name in sources))
            assert all(status(pipeline, name) is State.LIVE for name in sources)
    for results in keep.results.values():
        ages_ms = sorted(result.timing.age_ns / 1e6 for result in results)
        assert ages_ms[len(ages_ms) // 2] < 1000 / 30, "the newest frame is never older than one interval"


def test_a_camera_that_dies_and_returns_is_a_new_epoch_and_the_others_run_on(clip: Path) -> None:
    with FakeCam([clip] * 2) as fake, watching(dict(zip("ab", fake.urls, strict=True))) as (pipeline, keep):
        keep.wait(lambda: all(len(keep.results[name]) >= 10 for name in "ab"))
        fake.fault(0, "refuse")
        keep.more("b", 60)
        assert status(pipeline, "a") is not State.LIVE
        fake.fault(0, "ok")
        keep.more("a", 10)
        fake.fault(0, "drop")
        keep.wait(lambda: keep.results["a"][-1].frame.epoch > keep.results["a"][0].frame.epoch + 1)
    indices = [result.frame.index for result in keep.results["a"]]
    assert indices == sorted(set(indices)), "the index counts on through reconnects"
    assert {result.frame.epoch for result in keep.results["b"]} == {0}


def test_a_camera_that_is_absent_at_the_start_is_there_when_it_comes(clip: Path) -> None:
    with FakeCam([clip]) as fake:
        url, port = fake.urls[0], fake.port
    sources = {"late": url, "synthetic": "synthetic:?size=64x64&fps=20"}
    with watching(sources) as (pipeline, keep):
        keep.more("synthetic", 20)
        assert status(pipeline, "late") is State.RETRYING
        with FakeCam([clip], port=port):
            keep.more("late", 10)


def test_a_camera_that_hangs_holds_up_neither_the_others_nor_the_end(clip: Path) -> None:
    with FakeCam([clip] * 2) as fake:
        with watching(dict(zip("ab", fake.urls, strict=True))) as (pipeline, keep):
            keep.wait(lambda: all(len(keep.results[name]) >= 10 for name in "ab"))
            fake.fault(0, "hang")
            keep.more("b", 30)
            pipeline.stop()
            asked = time.monotonic()
        took_s = time.monotonic() - asked
    assert took_s < 2.5


def test_a_wrong_password_is_failed_and_never_shown(clip: Path) -> None:
    with FakeCam([clip], user="me", password="secret-word") as fake:
        url = fake.urls[0].replace("rtsp://", "rtsp://me:wrong-word@")
        changed = threading.Event()
        pipeline = Pipeline(on_status=lambda camera: changed.set() if camera.status.why else None)
        pipeline.add(Camera("gate", open_source(parse_address(url))), Bright())
        with pipeline:
            assert changed.wait(PATIENCE_S)
            (camera,) = pipeline.stats().cameras
            assert camera.status.state is State.FAILED
            assert "401" in camera.status.why
            assert "wrong-word" not in camera.status.why


@pytest.mark.debian
@pytest.mark.parametrize(("codec", "transport"), [("h264", "tcp"), ("h264", "udp"), ("mjpeg", "tcp")])
def test_a_server_that_nobody_here_wrote(codec: str, transport: str) -> None:
    with gst_camera(codec) as url, watching({"gst": url}, transport) as (_, keep):
        keep.more("gst", 20)
        # A sender report comes within five seconds (RFC 3550, 6.2).
        keep.wait(lambda: keep.results["gst"][-1].frame.source_ns is not None)
    results = keep.results["gst"]
    assert {result.frame.size for result in results} == {(640, 360)}
    assert results[-1].frame.source_ns is not None, "its sender reports tell its clock"
    span_s = (results[-1].frame.scene_ns - results[0].frame.scene_ns) / 1e9
    frames = results[-1].frame.index - results[0].frame.index
    assert frames / span_s == pytest.approx(15, rel=0.15)
