"""Cameras whose pictures are wrong, as PyAV decodes them: frozen, dark, blurred, covered, turned away."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.fakecam import FakeCam
from streamer.fakecam.clip import AccessUnit, Clip
from streamer.fakecam.commands import COMMANDS
from streamer.fakecam.faults import Look, View
from streamer.fakecam.looks import degraded
from streamer.fakecam.recording import load
from streamer.fakecam.reel import Reel, Take
from streamer.fakecam.studio import KEPT, Studio
from streamer.watermark import Mark, read
from streamer.watermark.sent import sent_times
from tests.boxes import until
from tests.fakecam_clips import FPS, TCP
from tests.rtsp_client import Client, depacketise

pytestmark = pytest.mark.timeout(60)

SIZE = 320, 240

Luma = NDArray[np.float32]


def scene(index: int) -> NDArray[np.uint8]:
    """Blocks of every grey, and a bright square that moves: 4:2:0 planes."""
    width, height = SIZE
    blocks = np.random.default_rng(1).integers(30, 220, (height // 8, width // 8), np.uint8)
    planes = np.full((height * 3 // 2, width), 110, np.uint8)
    planes[:height] = blocks.repeat(8, 0).repeat(8, 1)
    at = 8 * (index % 30)
    planes[100:130, at : at + 30] = 235
    return planes


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "scene.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"bf": "0", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.gop_size = 10
        for index in range(60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(index), "yuv420p")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def cam(clip: Path) -> Iterator[FakeCam]:
    with pytest.MonkeyPatch.context() as patch, FakeCam([clip]) as cam:
        patch.setattr("streamer.fakecam.studio.ROUND_S", 1.5)
        yield cam


def seen(url: str, count: int = 12) -> list[Luma]:
    """The luma of so many pictures that a newcomer gets."""
    with av.open(url, options=TCP, timeout=(5, 5)) as container:
        frames = islice(container.decode(video=0), count)
        return [frame.to_ndarray(format="yuv420p")[: frame.height].astype(np.float32) for frame in frames]


def sharpness(luma: Luma) -> float:
    return float(cv2.Laplacian(luma, cv2.CV_32F).var())


def likeness(one: Luma, other: Luma) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


class TestLooks:
    @pytest.fixture(autouse=True)
    def all_is_well_again(self, cam: FakeCam) -> Iterator[None]:
        yield
        cam.fault(0, "ok")
        assert cam._server.cameras[0].clip.name == "scene.mp4"

    def test_repeat_is_one_picture_encoded_on_and_on(self, cam: FakeCam) -> None:
        cam.fault(0, "repeat")
        with Client(cam.urls[0]) as client:
            client.play()
            kinds = [nal[0] & 31 for nal in depacketise([client.rtp() for _ in range(120)])]
        assert kinds.count(5) >= 2  # keyframes …
        assert kinds.count(1) >= 40  # … and others between them
        frames = seen(cam.urls[0], 45)
        assert max(float(np.abs(a - b).mean()) for a, b in pairwise(frames)) < 2
        assert likeness(frames[-1], scene(0)[: SIZE[1]].astype(np.float32)) > 0.95

    def test_black(self, cam: FakeCam) -> None:
        cam.fault(0, "black")
        assert {(float(frame.min()), float(frame.max())) for frame in seen(cam.urls[0])} == {(16, 16)}

    def test_dark_is_the_scene_in_little_light_with_noise(self, cam: FakeCam) -> None:
        own = seen(cam.urls[0])[0]
        cam.fault(0, "dark")
        frames = seen(cam.urls[0], 20)
        still = np.stack(frames)[:, 150:]
        assert all(20 < frame.mean() < 40 for frame in frames)
        assert 0.5 < float(still.std(axis=0).mean()) < 5
        assert likeness(frames[-1][150:], own[150:]) > 0.6

    def test_defocus(self, cam: FakeCam) -> None:
        own = seen(cam.urls[0])[0]
        cam.fault(0, "defocus")
        frames = seen(cam.urls[0])
        assert all(sharpness(frame) < 0.05 * sharpness(own) for frame in frames)
        assert frames[-1].mean() == pytest.approx(own.mean(), abs=5)

    def test_cover_is_nearly_uniform(self, cam: FakeCam) -> None:
        cam.fault(0, "cover")
        frames = seen(cam.urls[0], 20)
        assert all(frame.std() < 8 and 30 < frame.mean() < 60 for frame in frames)
        assert 0.1 < float(np.stack(frames).std(axis=0).mean()) < 3  # and alive

    def test_move_shows_another_part(self, cam: FakeCam) -> None:
        own = seen(cam.urls[0])[0]
        cam.fault(0, "move")
        moved = seen(cam.urls[0])[-1]
        assert moved.std() > 30
        assert abs(likeness(moved, own)) < 0.3

    def test_size_from_a_keyframe_on_and_back(self, cam: FakeCam) -> None:
        with av.open(cam.urls[0], options=TCP, timeout=(5, 5)) as container:
            frames = container.decode(video=0)
            sizes = [(next(frames).width, 0)]
            for words, width in (("size", "480x272"), 480), (("cover", None), 480), (("ok", None), 320):
                cam.fault(0, *words)
                while next(frames).width != width:
                    pass
                shown = [next(frames) for _ in range(5)]
                assert {frame.width for frame in shown} == {width}
                sizes.append((shown[-1].width, shown[-1].height))
            assert sizes == [(320, 0), (480, 272), (480, 272), (320, 240)]

    def test_who_joins_is_told_the_size_there_is(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as client:
            before = client.ask("DESCRIBE")[2]
        cam.fault(0, "size", "480x272")
        with Client(cam.urls[0]) as client:
            sdp = client.ask("DESCRIBE")[2]
            client.play()
            (sps,) = depacketise([client.rtp()])
        assert sdp != before
        assert sps[0] & 31 == 7

    def test_size_and_looks_go_together_and_a_look_replaces_another(self, cam: FakeCam) -> None:
        cam.fault(0, "dark")
        cam.fault(0, "cover")
        cam.fault(0, "size", "480x272")
        assert cam._server.cameras[0].wanted == View(Look.COVER, (480, 272))
        frame = seen(cam.urls[0], 3)[-1]
        assert frame.shape == (272, 480)
        assert frame.std() < 8

    def test_the_second_time_it_is_only_a_keyframe_away(self, cam: FakeCam) -> None:
        cam.fault(0, "move")
        first = cam._server.cameras[0].clip
        cam.fault(0, "ok")
        begun = time.monotonic()
        cam.fault(0, "move")
        assert time.monotonic() - begun < 1.5
        assert cam._server.cameras[0].clip is first


class TestWhile:
    def test_a_command_that_comes_before_the_pictures_are_made_wins(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_work, go_on = threading.Event(), threading.Event()

        def slowly(look: Look, planes: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
            at_work.set()
            assert go_on.wait(10)
            return degraded(look, planes, chance)

        monkeypatch.setattr("streamer.fakecam.studio.degraded", slowly)
        with (
            FakeCam([clip, clip], control_port=0) as cam,
            socket.create_connection(("127.0.0.1", cam.control_port), timeout=10) as control,
            Client(cam.urls[0]) as client,
        ):
            lines = control.makefile("rb")
            control.sendall(b"cam0 dark\n")
            assert at_work.wait(10)
            client.play()
            for _ in range(40):  # all goes on meanwhile
                client.rtp()
            cam.fault(0, "loss", 0.1)
            cam.fault(1, "hang")
            cam.fault(0, "ok")
            go_on.set()
            assert lines.readline() == b"error: dark: another command came before this was in force\n"
            assert cam._server.cameras[0].clip.name == "scene.mp4"
            control.sendall(b"cam0 dark\n")
            assert lines.readline() == b"ok\n"
            assert "dark" in cam._server.cameras[0].clip.name
            lines.close()

    def test_the_end_does_not_wait_for_pictures(self, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("streamer.fakecam.studio.ROUND_S", 60)
        before = set(threading.enumerate())
        with (
            FakeCam([clip], control_port=0) as cam,
            socket.create_connection(("127.0.0.1", cam.control_port)) as control,
        ):
            control.sendall(b"cam0 size 1920x1080\n")
            until(lambda: any("fakecam-encoding" in thread.name for thread in threading.enumerate()))
            begun = time.monotonic()
        assert time.monotonic() - begun < 2
        assert set(threading.enumerate()) <= before

    def test_a_clip_that_has_gone_is_said(self, clip: Path, tmp_path: Path) -> None:
        path = tmp_path / "gone.mp4"
        path.write_bytes(clip.read_bytes())
        with FakeCam([path]) as cam:
            path.unlink()
            for _ in range(2):
                with pytest.raises(ConfigError, match=r"dark cannot be had: .*gone\.mp4: there is no such"):
                    cam.fault(0, "dark")
            assert cam._server.cameras[0].wanted == View()
            path.write_bytes(clip.read_bytes())
            cam.fault(0, "dark")

    def test_others_are_sent_on_time_while_pictures_are_made(self, clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        with FakeCam([clip, clip], log=log) as cam:
            cam.fault(0, "size", "1280x720")
            until(lambda: '"fault":"size 1280x720"' in log.read_text())
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        mine = [entry["sent_mono_ns"] for entry in entries if entry["camera"] == 1]
        gaps_s = np.diff(mine) / 1e9
        assert len(mine) > 10
        assert np.percentile(gaps_s, 90) < 1.5 / FPS
        assert max(gaps_s) < 0.3


class TestWatermark:
    @pytest.fixture(autouse=True)
    def short_rounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("studio", "watermarking"):
            monkeypatch.setattr(f"streamer.fakecam.{module}.SHORTEST_ROUND_S", 4)

    def test_it_stays_readable_and_the_log_true(self, clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        marks: dict[str, list[tuple[int, int]]] = {}
        with FakeCam([clip], log=log, watermark=True) as cam:
            own = len(cam._server.cameras[0].clip.units)
            for words in ("dark",), ("repeat",), ("size", "640x360"), ("black",), ("ok",):
                cam.fault(0, *words)
                with av.open(cam.urls[0], options=TCP, timeout=(5, 5)) as container:
                    for frame in islice(container.decode(video=0), 8):
                        mark = read(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)).mark
                        if mark is not None:
                            seen_ns = time.monotonic_ns()
                            marks.setdefault(words[0], []).append((mark.frame, seen_ns))
        assert [len(marks.get(word, ())) for word in ("dark", "repeat", "size", "ok")] == [8] * 4
        assert "black" not in marks
        assert all(number >= own for word in ("dark", "repeat", "size") for number, _ in marks[word])
        assert all(number < own for number, _ in marks["ok"])
        assert len({number for number, _ in marks["repeat"]}) == 1
        assert [b - a for (a, _), (b, _) in pairwise(marks["dark"])] == [1] * 7
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        by_fault = {
            word: {entry["picture"] for entry in entries if entry.get("fault", "").startswith(word)}
            for word in ("dark", "repeat", "repeat, size", "black, size")
        }
        assert {number for number, _ in marks["dark"]} <= by_fault["dark"]
        assert {number for number, _ in marks["size"]} <= by_fault["repeat, size"]
        assert not by_fault["dark"] & by_fault["black, size"]
        assert all(("of_clip" in entry) == (entry["picture"] >= own) for entry in entries)
        sent = sent_times(log)
        assert sent.pictures(0) == max(entry["picture"] for entry in entries if entry["picture"] < own) + 1

    def test_a_repeated_picture_is_as_old_as_when_it_was_sent_last(self, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        lines = [
            {"camera": 0, "frame": at, "picture": 9, "sent_mono_ns": at * 33_000_000} for at in range(60)
        ]
        log.write_text("".join(json.dumps(line | {"of_clip": False}) + "\n" for line in lines))
        ages_ns = [sent_times(log).true_age_ns(Mark(0, 9), at * 33_000_000 + 7) for at in range(60)]
        assert set(ages_ns) == {7}

    def test_too_small_for_it_is_said_and_nothing_changes(self, clip: Path) -> None:
        with FakeCam([clip], watermark=True) as cam:
            with pytest.raises(ConfigError, match="64x64 is too small for a watermark"):
                cam.fault(0, "size", "64x64")
            assert cam._server.cameras[0].clip.name == "scene.mp4"


def clip_of(keys: str) -> Clip:
    """A clip of one picture for each character; K is a keyframe."""
    units = [AccessUnit(at * 3000, key == "K", (b"x",)) for at, key in enumerate(keys)]
    return Clip(keys, tuple(units), Fraction(1, 30))


class TestReel:
    def test_takes_change_at_keyframes_and_go_on_where_they_stopped(self) -> None:
        own, other = Take(clip_of("KppKpp"), View()), Take(clip_of("KpKp"), View(Look.DARK), 6)
        reel = Reel(own)
        assert [reel.next().number for _ in range(2)] == [0, 1]
        reel.change(other)
        assert reel.ticks_to_keyframe() == 6000
        assert [reel.next().number for _ in range(3)] == [2, 6, 7]
        reel.change(own)
        shots = [reel.next() for _ in range(4)]
        assert [shot.number for shot in shots] == [3, 4, 5, 0]
        assert {shot.gap_ticks for shot in shots} == {3000}
        reel.change(other)
        assert [reel.next().number for _ in range(5)] == [1, 2, 8, 9, 6]

    def test_one_picture_has_one_number(self) -> None:
        reel = Reel(Take(clip_of("Kpp"), View(Look.REPEAT), 9, one_picture=True))
        assert [reel.next().number for _ in range(5)] == [9] * 5


class TestStudio:
    def test_cameras_of_one_clip_share_and_memory_is_bounded(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streamer.fakecam.studio.ROUND_S", 0.2)

        async def made() -> None:
            studio, own = Studio([clip, clip], watermark=False), load(clip)
            one, other = await asyncio.gather(*(studio.take(at, own, View(Look.DARK)) for at in (0, 1)))
            assert one.clip is other.clip
            assert one is await studio.take(0, own, View(Look.DARK))
            numbers = [one.first_number]
            for width in range(32, 32 + 2 * KEPT, 2):
                numbers.append((await studio.take(0, own, View(size=(width, 32)))).first_number)
            assert len(studio._kept) == KEPT
            assert one is not await studio.take(0, own, View(Look.DARK))
            assert numbers == [60 + 6 * at for at in range(len(numbers))]
            studio.close()

        asyncio.run(made())

    @pytest.mark.parametrize("look", Look)
    def test_planes_stay_planes(self, look: Look) -> None:
        planes = scene(3)
        before = planes.copy()
        made = degraded(look, planes, np.random.default_rng(0))
        assert made.shape == planes.shape
        assert made.dtype == np.uint8
        assert np.array_equal(planes, before)
        again = degraded(look, planes, np.random.default_rng(0))
        assert np.array_equal(made, again)


def test_the_document_has_every_word() -> None:
    text = (Path(__file__).parents[1] / "docs" / "faults.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)", text, re.MULTILINE)) == set(COMMANDS)
