"""The oracle reads what is really in the pictures, and through it the whole pipeline is held to the truth."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.oracle import Oracle
from sinks.jsonl import JsonLines
from streamer import ArrayPicture, Camera, Frame, Pipeline, Quality, StagedDetector, View
from streamer.errors import ConfigError
from streamer.fakecam import FakeCam
from streamer.sources import open_source, parse_address
from streamer.sources.synthetic import Scene
from streamer.watermark import Mark, paint
from streamer.watermark.account import account
from streamer.watermark.sent import sent_times
from streamer.watermark.sighting import in_messages
from streamer.wire import read_jsonl
from tests.fakecam_clips import write_clip
from tests.running import ROOT, freshframe, started

SIZE = 320, 240


def view(pixels: NDArray[np.uint8], region: tuple[int, int, int, int] | None = None) -> View:
    return View(Frame("gate", 0, 0, 0, 0, None, None, True, Quality.FINE, ArrayPicture(pixels)), region)


class TestOracle:
    def test_it_reports_what_the_picture_says(self) -> None:
        scene = Scene(SIZE, 3)
        pixels = [scene.paint(index, index / 30, index * 10**9) for index in (0, 40)]
        with Oracle() as oracle:
            assert isinstance(oracle, StagedDetector)
            seen = oracle.detect([view(each) for each in pixels])
        assert [one.extra["text"].tolist() for one in seen] == [["3/0/100000"], ["3/40/40000000000"]]
        for one in seen:
            assert one.xyxy.tolist() == [[0, 0, *SIZE]]
            assert (one.label(0), one.score.tolist()) == ("watermark", [1.0])

    def test_a_torn_picture_is_torn_and_one_without_is_nothing(self) -> None:
        torn, nothing, half = (np.full((240, 320, 3), 99, np.uint8) for _ in range(3))
        paint(torn, Mark(1, 8))
        lower = torn[120:].copy()
        paint(torn, Mark(1, 9))
        half[:120] = torn[:120]
        torn[120:] = lower
        with Oracle() as oracle:
            first, second, third = oracle.detect([view(torn), view(nothing), view(half)])
        assert (first.label(0), first.extra["text"].tolist()) == ("torn", ["1/9/- 1/8/-"])
        assert len(second) == len(third) == 0

    def test_a_part_is_looked_at_by_itself(self) -> None:
        pixels = np.zeros((300, 400, 3), np.uint8)
        part = np.zeros((240, 320, 3), np.uint8)
        paint(part, Mark(2, 5))
        pixels[10:250, 20:340] = part
        with Oracle() as oracle:
            whole, cut = oracle.detect([view(pixels.copy()), view(pixels, (20, 10, 340, 250))])
        assert len(whole) == 0
        assert cut.extra["text"].tolist() == ["2/5/-"]
        assert cut.xyxy.tolist() == [[20, 10, 340, 250]]

    def test_the_device_is_busy_as_long_as_was_asked(self) -> None:
        with Oracle(takes_ms=30, max_batch=4) as oracle:
            batch = oracle.prepare([view(np.zeros((240, 320, 3), np.uint8))] * 4)
            started, cpu = time.monotonic(), time.thread_time()
            assert len(oracle.infer(batch)) == 4
            assert time.monotonic() - started >= 0.03
            assert time.thread_time() - cpu < 0.02
            assert oracle.max_batch == 4

    @pytest.mark.parametrize(
        "wrong", [{"takes_ms": -1}, {"takes_ms": float("nan")}, {"takes_ms": float("inf")}, {"max_batch": 0}]
    )
    def test_what_cannot_be_is_refused(self, wrong: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match=f"oracle: {next(iter(wrong))}="):
            Oracle(**wrong)  # type: ignore[arg-type]  # the subject of the test


@pytest.mark.timeout(60)
def test_the_pipeline_tells_the_truth_over_rtsp(tmp_path: Path) -> None:
    clips = [write_clip(tmp_path / f"{name}.mp4", size=SIZE, frames=60) for name in "ab"]
    log, out = tmp_path / "sent.jsonl", tmp_path / "out.jsonl"
    with FakeCam(clips, log=log, watermark=True) as cameras:
        pipeline, oracle = Pipeline(), Oracle(takes_ms=5, max_batch=2)
        for number, url in enumerate(cameras.urls):
            pipeline.add(Camera(f"cam{number}", open_source(parse_address(url))), oracle)
        synthetic = open_source(parse_address("synthetic:?size=320x240&fps=30&seed=9"))
        pipeline.add(Camera("synthetic", synthetic), oracle)
        pipeline.sink(JsonLines(out))
        pipeline.run(for_s=3)
    messages = list(read_jsonl(out))
    sent = sent_times(log)
    found = {one.camera: one for one in account(in_messages(messages), sent)}
    assert set(found) == {"cam0", "cam1", "synthetic"}
    for name, camera in (("cam0", 0), ("cam1", 1), ("synthetic", 9)):
        one = found[name]
        assert one.frames > 20
        assert one.first is not None
        assert one.first.camera == camera
        assert (one.read, one.unreadable, one.torn, one.mixed_up, one.never_sent) == (one.frames, 0, 0, 0, 0)
        assert (one.duplicates, one.backwards) == (0, 0)
        assert one.at_capture is not None
        assert one.at_publication is not None
        # Never captured before it was sent, and never as old as a round of the clip.
        assert 0 <= one.at_capture.min <= one.at_capture.max < one.at_publication.max < 3_000
    # The frame's index, as decoded, counts what the picture itself counts; what the camera itself
    # withheld, for a client that was slow, has a number in its log and never came.
    for name in ("cam0", "cam1"):
        mine = [message for message in messages if message.camera == name]
        assert found[name].skipped >= mine[-1].frame - mine[0].frame - len(mine) + 1


@pytest.mark.timeout(60)
def test_the_three_commands_of_the_guide(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "instrument.md").read_text(encoding="utf-8")
    config = guide.split("```yaml\n")[1].split("```")[0]
    clip = write_clip(tmp_path / "clip.mp4", size=SIZE, frames=60)
    with started(
        *("fakecam", clip, clip, "--watermark", "--log", "sent.jsonl", "--port", "0"), cwd=tmp_path
    ) as camera:
        assert camera.stdout is not None
        for number in (0, 1):
            url = camera.stdout.readline().removeprefix("ready ").strip()
            config = config.replace(f"rtsp://127.0.0.1:8554/cam{number}", url)
        (tmp_path / "oracle.yaml").write_text(config)
        ran = freshframe("run", "oracle.yaml", "--for", "3", cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        done = freshframe("watermark", "seen.jsonl", "--log", "sent.jsonl", "--json", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    for number, one in enumerate(map(json.loads, done.stdout.splitlines())):
        assert (one["camera"], one["first"].partition("/")[0]) == (f"cam{number}", str(number))
        assert one["read"] == one["frames"] > 10
        lies = ("torn", "duplicates", "backwards", "mixed_up", "never_sent")
        assert [one[name] for name in lies] == [0] * len(lies)
        assert 0 <= one["at_capture_ms"]["min"] < one["at_publication_ms"]["max"] < 3_000
