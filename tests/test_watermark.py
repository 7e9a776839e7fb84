"""The watermark clock: what is painted is read, what is not certain is not, and ages are true."""

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer import wire
from streamer.cli.commands import main
from streamer.errors import ConfigError
from streamer.sources import open_source, parse_address
from streamer.sources.synthetic import Scene
from streamer.watermark import Mark, Reading, layout_of, paint, paint_yuv420, painted_time_ns, read
from streamer.watermark.account import Account, account, steps
from streamer.watermark.cells import BITS, cells_of, known_cells, mark_of
from streamer.watermark.layout import CELL_PX
from streamer.watermark.mark import TIME_ROUND_NS, TIME_UNIT_NS
from streamer.watermark.sent import EARLIEST_NS, sent_times
from streamer.watermark.sighting import Sighting, in_messages

SIZE = 1280, 720
NOTHING = Reading(None, None)
MS = 1_000_000

numbers = st.integers(0, 255), st.integers(0, 2**24 - 1)
times = st.none() | st.integers(1, 2**32 - 1).map(lambda units: units * TIME_UNIT_NS)
marks = st.builds(Mark, *numbers, times)


def grey(size: tuple[int, int] = (640, 360), level: int = 128) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), level, np.uint8)


def bgr(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


class TestMark:
    @given(marks)
    def test_it_can_be_written_down(self, mark: Mark) -> None:
        assert Mark.parse(str(mark)) == mark

    @pytest.mark.parametrize(
        "text", ["", "1/2", "256/0/-", "0/16777216/-", "1/2/3/4", "-1/0/-", "1/2/x", "١/2/-"]
    )
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match="is no watermark"):
            Mark.parse(text)

    @pytest.mark.parametrize("wrong", [(256, 0), (-1, 0), (0, 1 << 24), (0, -1), (0, 0, -1)])
    def test_what_has_no_room_is_refused(self, wrong: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="a watermark's"):
            Mark(*wrong)

    @given(st.integers(10**15, 2 * 10**15), st.integers(-(10**12), 10**12))
    def test_a_painted_time_is_the_nearest_one(self, time_ns: int, later_ns: int) -> None:
        said = mark_of(cells_of(Mark(0, 0, time_ns), 8))
        assert said is not None
        assert said.time_ns is not None
        assert 0 <= time_ns - painted_time_ns(said.time_ns, time_ns + later_ns) < TIME_UNIT_NS or (
            time_ns % TIME_ROUND_NS < TIME_UNIT_NS
        )


class TestPicture:
    @settings(deadline=None)
    @given(
        marks,
        st.sampled_from([SIZE, (1920, 1080), (640, 360), (320, 240), (352, 288), (333, 251), (96, 2000)]),
    )
    def test_what_is_painted_is_read(self, mark: Mark, size: tuple[int, int]) -> None:
        pixels = grey(size)
        paint(pixels, mark)
        assert read(pixels) == Reading(mark, mark)
        assert (read(pixels).mark, read(pixels).torn) == (mark, False)

    def test_only_the_bands_are_painted(self) -> None:
        layout = layout_of((650, 375))
        pixels = grey((650, 375))
        paint(pixels, Mark(1, 2))
        assert (layout.columns, layout.rows, layout.bottom) == (40, 3, (23 - 3) * 16)
        pixels[: layout.height, : layout.width] = 128
        pixels[layout.bottom : layout.bottom + layout.height, : layout.width] = 128
        assert (pixels == 128).all()

    @pytest.mark.parametrize("size", [(640, 360), (322, 246), SIZE])
    def test_what_is_painted_for_an_encoder_is_read(self, size: tuple[int, int]) -> None:
        before = np.random.default_rng(1).integers(16, 236, (size[1] * 3 // 2, size[0]), np.uint8)
        planes = before.copy()
        paint_yuv420(planes, Mark(7, 1234, 5 * TIME_UNIT_NS))
        assert read(bgr(av.VideoFrame.from_ndarray(planes, "yuv420p"))).mark == Mark(
            7, 1234, 5 * TIME_UNIT_NS
        )
        layout, (width, height) = layout_of(size), size
        assert np.array_equal(planes[layout.height : layout.bottom], before[layout.height : layout.bottom])
        colour, colour_before = (
            each[height:].reshape(2, height // 2, width // 2) for each in (planes, before)
        )
        between = slice(layout.height // 2, layout.bottom // 2)
        assert np.array_equal(colour[:, between], colour_before[:, between])
        assert (colour[:, : layout.height // 2, : layout.width // 2] == 128).all()

    @pytest.mark.parametrize("size", [(160, 120), (320, 159), (15, 2000), (8, 8)])
    def test_too_small_is_refused_with_what_is_enough(self, size: tuple[int, int]) -> None:
        with pytest.raises(ConfigError, match=rf"{size[0]}x{size[1]} is too small .*320x160 is enough"):
            paint(grey(size), Mark(0, 0))
        assert read(grey(size)) == NOTHING
        layout_of((320, 160))

    def test_one_wrong_cell_is_enough_to_read_nothing(self) -> None:
        mark = Mark(3, 4711, 123 * TIME_UNIT_NS)
        pixels = grey()
        paint(pixels, mark)
        layout = layout_of((640, 360))
        for row in range(layout.rows):
            for column in range(layout.columns):
                cell = np.s_[row * CELL_PX : (row + 1) * CELL_PX, column * CELL_PX : (column + 1) * CELL_PX]
                for damage in (255 - pixels[cell], np.uint8(128)):
                    damaged = pixels.copy()
                    damaged[cell] = damage
                    assert read(damaged) == Reading(None, mark)
                    assert read(damaged).mark is None

    def test_a_picture_made_of_two_is_torn(self) -> None:
        old, new = grey(), grey()
        paint(old, Mark(0, 17))
        paint(new, Mark(0, 18))
        torn = read(np.vstack((new[:180], old[180:])))
        assert torn == Reading(Mark(0, 18), Mark(0, 17))
        assert (torn.torn, torn.mark) == (True, None)
        # Torn within a band, it cannot be read; both are honest.
        assert read(np.vstack((new[:24], old[24:]))) == Reading(None, Mark(0, 17))

    def test_scaled_pictures(self) -> None:
        pixels = Scene(SIZE, 7).paint(99, 3.3)
        half = cv2.resize(pixels, (640, 360), interpolation=cv2.INTER_AREA)
        back = cv2.resize(half, SIZE, interpolation=cv2.INTER_LINEAR)
        for seen in (
            half,
            back,
            cv2.resize(pixels, (900, 600)),
            cv2.resize(pixels, (400, 225)),
            back[::-1][::-1],
        ):
            assert read(np.asarray(seen, np.uint8), size=SIZE).mark == Mark(7, 99)
        assert read(np.asarray(half, np.uint8)) == NOTHING
        assert read(np.asarray(cv2.resize(pixels, (40, 20)), np.uint8), size=SIZE) == NOTHING


class TestNothingIsInvented:
    def test_random_bands(self) -> None:
        cells = np.random.default_rng(5).integers(0, 2, (100_000, BITS + 8)).astype(np.bool_)
        assert sum(mark_of(row) is not None for row in cells) == 0
        # Even where all known cells happen to be right, the checksum stands in the way: 1 in 65536.
        cells[:, :8] = known_cells(8)
        assert sum(mark_of(row) is not None for row in cells) <= 8

    def test_pictures_of_noise_and_of_nothing(self) -> None:
        rng = np.random.default_rng(6)
        for level in range(0, 256, 15):
            assert read(grey(level=level)) == NOTHING
        for _ in range(200):
            noise = rng.integers(0, 256, (360, 640, 3), np.uint8)
            blocks = rng.integers(0, 2, (23, 40), np.uint8).repeat(16, 0).repeat(16, 1)[:360, :, None] * 255
            assert read(noise) == NOTHING
            assert read(np.broadcast_to(blocks, (360, 640, 3))) == NOTHING
        stripes = np.zeros((360, 640, 3), np.uint8)
        stripes[:, ::32] = 255
        assert read(stripes) == read(255 - stripes) == NOTHING

    @pytest.mark.shared
    @pytest.mark.parametrize("name", ["vtest.avi", "road_cctv_ozlu.mp4", "people_crowd_ocv4nodejs.mp4"])
    def test_ordinary_videos(self, shared_data: Path, name: str) -> None:
        with open_source(parse_address(str(shared_data / "videos" / name))) as source:
            for captured in islice(source, 0, None, 15):
                assert read(captured.picture.bgr()) == NOTHING


def scene(count: int) -> Iterator[NDArray[np.uint8]]:
    shapes = Scene(SIZE, 3)
    return (shapes.paint(index, index / 30) for index in range(count))


def film(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        for frame in islice(container.decode(video=0), count):
            yield bgr(frame.reformat(*SIZE, "bgr24"))


def through(
    codec: str, pictures: Iterator[NDArray[np.uint8]], options: dict[str, str], bit_rate: int
) -> Iterator[NDArray[np.uint8]]:
    """Each picture with its number as a watermark, encoded and decoded."""
    encoder, decoder = av.CodecContext.create(codec, "w"), av.CodecContext.create(DECODER[codec], "r")
    assert isinstance(encoder, av.VideoCodecContext)
    assert isinstance(decoder, av.VideoCodecContext)
    encoder.width, encoder.height = SIZE
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encoder.time_base, encoder.framerate, encoder.gop_size = Fraction(1, 30), Fraction(30), 30
    encoder.bit_rate, encoder.options = bit_rate, options
    for index, pixels in enumerate(pictures):
        planes = np.array(av.VideoFrame.from_ndarray(pixels, "bgr24").to_ndarray(format="yuv420p"), np.uint8)
        paint_yuv420(planes, Mark(9, index))
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p").reformat(format=encoder.pix_fmt)
        frame.pts, frame.time_base = index, encoder.time_base
        for packet in encoder.encode(frame):
            yield from map(bgr, decoder.decode(packet))
    for last in (*encoder.encode(None), None):
        yield from map(bgr, decoder.decode(last))


DECODER = {"libx264": "h264", "mpeg4": "mpeg4", "mjpeg": "mjpeg"}
H264 = {"preset": "veryfast", "bf": "0", "tune": "zerolatency", "maxrate": "300k", "bufsize": "300k"}


class TestCompression:
    COUNT = 60  # docs/instrument.md: 330

    def check(self, seen: Iterator[NDArray[np.uint8]], count: int) -> None:
        found = list(map(read, seen))
        assert found == [Reading(Mark(9, index), Mark(9, index)) for index in range(count)]

    def test_h264_at_300_kbit_s(self) -> None:
        self.check(through("libx264", scene(self.COUNT), H264, 300_000), self.COUNT)

    @pytest.mark.shared
    @pytest.mark.parametrize("name", ["Retail02_short.mp4", "vtest.avi"])
    def test_h264_at_300_kbit_s_over_a_film(self, shared_data: Path, name: str) -> None:
        pictures = film(shared_data / "videos" / name, self.COUNT)
        self.check(through("libx264", pictures, H264, 300_000), self.COUNT)

    @pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
    def test_the_worst_quality_of_older_codecs(self, codec: str) -> None:
        worst = {"qmin": "31", "qmax": "31"}
        self.check(through(codec, scene(20), worst, 100_000), 20)


LOG = [
    {"camera": 0, "frame": 0, "picture": 0, "sent_mono_ns": 1_000 * MS},
    {"camera": 0, "frame": 1, "picture": 1, "sent_mono_ns": 1_040 * MS},
    {"camera": 1, "frame": 0, "picture": 0, "sent_mono_ns": 1_005 * MS},
    {"camera": 0, "frame": 2, "picture": 0, "sent_mono_ns": 21_000 * MS},
    {"camera": 0, "frame": 3, "picture": 1, "sent_mono_ns": 21_040 * MS},
]


def write_log(path: Path, lines: list[dict[str, int]] = LOG, end: str = "") -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + end)
    return path


class TestSentTimes:
    def test_true_age_counts_from_the_latest_time_before(self, tmp_path: Path) -> None:
        sent = sent_times(write_log(tmp_path / "log"))

        def age(picture: int, ms: int) -> int | None:
            return sent.true_age_ns(Mark(0, picture), ms * MS)

        assert age(0, 1_000) == 0
        assert age(0, 1_500) == 500 * MS
        assert age(0, 20_000) == 19_000 * MS
        assert age(0, 21_001) == 1 * MS
        assert age(1, 21_039) == -1 * MS  # seen before it was sent: a time stamp is wrong
        assert age(0, 1_000 - EARLIEST_NS // MS - 1) is None
        assert age(2, 30_000) is None
        assert sent.true_age_ns(Mark(1, 0), 1_010 * MS) == 5 * MS
        assert (sent.pictures(0), sent.pictures(1), sent.pictures(2)) == (2, 1, None)
        assert sent.cameras == {0, 1}
        assert [sent.knows(Mark(0, picture)) for picture in (1, 2)] == [True, False]

    def test_half_a_last_line_is_passed_over(self, tmp_path: Path) -> None:
        sent = sent_times(write_log(tmp_path / "log", end='{"camera":0,"fra'))
        assert sent.latest(Mark(0, 1), 10**12) == sent_times(write_log(tmp_path / "two")).latest(
            Mark(0, 1), 10**12
        )

    @pytest.mark.parametrize(
        "line",
        ["", "[]", "{}", '{"camera":0,"frame":1,"sent_mono_ns":2}', '{"camera":-1}', "\xff", "[" * 10_000],
    )
    def test_another_file_is_refused(self, tmp_path: Path, line: str) -> None:
        log = write_log(tmp_path / "log", end=f"{line}\n")
        with pytest.raises(ConfigError, match=r"log, line 6: not of a log that"):
            sent_times(log)

    def test_no_file_is_refused(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "none"):
            with pytest.raises(ConfigError, match="cannot be read"):
                sent_times(path)


class TestSteps:
    @given(st.lists(st.integers(1, 100)), st.integers(0, 599), st.just(600))
    def test_a_stream_that_only_leaves_out(self, gaps: list[int], start: int, period: int) -> None:
        seen = [start]
        for gap in gaps:
            seen.append(seen[-1] + gap)
        wanted = (0, 0, sum(gaps) - len(gaps))
        for found in (steps(seen), steps([number % period for number in seen], period)):
            assert (found.duplicates, found.backwards, found.skipped) == wanted

    def test_what_comes_twice_and_what_comes_late(self) -> None:
        found = steps([5, 5, 6, 9, 7, 9, 10])
        assert (found.duplicates, found.backwards, found.skipped) == (2, 1, 2)
        assert steps([]) == steps([3])

    def test_one_that_comes_late_over_the_end_of_a_round(self) -> None:
        found = steps([597, 598, 0, 599, 1, 2], 600)
        assert (found.duplicates, found.backwards, found.skipped) == (0, 1, 1)
        # A long way ahead of everything, and going on there, is no step back.
        found = steps([5, 400, 401, 402], 600)
        assert (found.duplicates, found.backwards, found.skipped) == (0, 0, 394)


def sighting(camera: str, mark: Mark | None, captured_ms: int = 0, took_ms: int = 10) -> Sighting:
    return Sighting(camera, Reading(mark, mark), captured_ms * MS, (captured_ms + took_ms) * MS)


class TestAccount:
    def test_each_lie_is_counted(self, tmp_path: Path) -> None:
        sent = sent_times(write_log(tmp_path / "log"))
        torn = Sighting("gate", Reading(Mark(0, 0), Mark(0, 1)), 21_041 * MS, 21_050 * MS)
        seen = [
            sighting("gate", Mark(0, 0), 1_030),
            sighting("gate", Mark(0, 0), 1_035),  # twice
            sighting("gate", Mark(0, 0), 21_005),  # 1 was left out
            sighting("gate", Mark(1, 0), 21_006),  # another camera's picture, 20 s old
            sighting("gate", Mark(0, 77), 21_007),  # never sent
            sighting("gate", None),
            torn,
            sighting("yard", Mark(1, 0), 1_006),
        ]
        gate, yard = account(seen, sent)
        assert (gate.camera, gate.frames, gate.read, gate.unreadable, gate.torn) == ("gate", 7, 5, 1, 1)
        assert (gate.duplicates, gate.backwards, gate.skipped) == (1, 0, 1)
        assert (gate.mixed_up, gate.never_sent) == (1, 1)
        assert gate.at_capture is not None
        assert (gate.at_capture.min, gate.at_capture.max) == (5, 20_001)
        assert (gate.first, gate.last) == (Mark(0, 0), Mark(0, 77))
        assert (yard.frames, yard.read, yard.mixed_up, yard.never_sent) == (1, 1, 0, 0)
        assert yard.at_publication is not None
        assert yard.at_publication.p50 == 11

    def test_painted_time_needs_no_log(self) -> None:
        seen = [sighting("s", Mark(1, n, (1000 + n) * MS), 1_002 + n, took_ms=5) for n in range(100)]
        (one,) = account(seen)
        assert one.at_capture is not None
        assert one.at_publication is not None
        assert (one.at_capture.p50, one.at_publication.p99) == (2, 7)
        assert (one.read, one.skipped, one.duplicates) == (100, 0, 0)

    def test_without_any_time_numbers_may_begin_again(self) -> None:
        seen = [Sighting("film", Reading(Mark(0, n), Mark(0, n))) for n in (7, 8, 9, 0, 1, 3)]
        (one,) = account(seen)
        assert (one.duplicates, one.backwards, one.skipped) == (0, 0, 1)
        assert one.at_capture is None

    def test_what_has_no_time_is_held_against_the_log_too(self, tmp_path: Path) -> None:
        sent = sent_times(write_log(tmp_path / "log"))
        seen = [
            Sighting("film", Reading(mark, mark))
            for mark in (Mark(0, 0), Mark(0, 1), Mark(0, 77), Mark(3, 0))
        ]
        (one,) = account(seen, sent)
        assert (one.frames, one.read, one.skipped, one.never_sent) == (4, 4, 0, 2)


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    status = main(["watermark", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


class TestCommand:
    @pytest.fixture(scope="class")
    @staticmethod
    def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("pictures")
        shapes = Scene((640, 360), 5)
        for index in (3, 4, 6):
            cv2.imwrite(str(folder / f"{index}.png"), shapes.paint(index, index / 30))
        cv2.imwrite(str(folder / "7.png"), grey())
        return folder

    def test_pictures(self, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, out, err = run(capsys, pictures, pictures / "4.png")
        assert (status, err) == (0, "")
        assert [line.split() for line in out.splitlines()[1:]] == [
            [pictures.name, "camera", "5:", "3", "to", "6", "4", "1", "0", "0", "0", "1", "0", "-"],
            ["4", "camera", "5:", "4", "1", "0", "0", "0", "0", "0", "0", "-"],
        ]

    def test_json_and_a_film_without(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        film = tmp_path / "film.mp4"
        with av.open(str(film), "w") as container:
            stream = container.add_stream("libx264", rate=30)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            for packet in [
                *stream.encode(av.VideoFrame.from_ndarray(grey((320, 240)), "bgr24")),
                *stream.encode(),
            ]:
                container.mux(packet)
        status, out, err = run(capsys, film, "--json")
        found = json.loads(out)
        assert (status, found["camera"], found["frames"], found["unreadable"]) == (0, "film", 1, 1)
        assert found["first"] is found["at_capture_ms"] is None
        assert "no watermark can be read" in err

    def test_messages_with_a_log(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        log, messages = write_log(tmp_path / "log"), tmp_path / "out.jsonl"
        messages.write_bytes(b"".join(line(seq, mark) for seq, mark in enumerate(["0/0/-", "0/1/-", None])))
        status, out, err = run(capsys, messages, "--log", log)
        assert (status, err) == (0, "")
        lines = [line.split() for line in out.splitlines()]
        assert lines[1] == ["gate", "camera", "0:", "0", "to", "1", "3", "1", *["0"] * 6]
        assert lines[3:] == [
            ["true", "age,", "ms", "p50", "p99", "max"],
            ["gate", "at", "capture", "25.0", "25.0", "25.0"],
            ["at", "publication", "58.5", "58.5", "58.5"],
        ]
        messages.write_bytes(messages.read_bytes() + b"{}\n")
        status, out, err = run(capsys, messages)
        assert status == 1
        assert out.splitlines()[1].split()[6] == "3"
        assert "out.jsonl, line 4" in err

    def test_what_cannot_be_read_is_said_before_anything(
        self, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cases: list[tuple[list[str | Path], str]] = [
            ([tmp_path / "none.mp4"], "no such file"),
            (["rtsp://user:secret@127.0.0.1/x"], "is no file"),
            (["synthetic:"], "is no file"),
            ([pictures, "--log", tmp_path / "none"], "cannot be read"),
        ]
        for wrong, why in cases:
            status, out, err = run(capsys, *wrong)
            assert (status, out) == (2, "")
            assert why in err
            assert "secret" not in err

    def test_a_run_that_saw_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "seen.jsonl").touch()
        status, out, err = run(capsys, tmp_path / "seen.jsonl")
        assert (status, len(out.splitlines())) == (0, 1)
        assert "no watermark can be read" in err

    @pytest.mark.parametrize("text", ["1/2", "0/1/- 0/2/-", "hello"])
    def test_a_text_that_is_no_mark_is_said(self, text: str) -> None:
        with pytest.raises(wire.MessageError, match="camera gate, seq 0"):
            list(in_messages([wire.decode(line(0, text))]))


def line(seq: int, text: str | None) -> bytes:
    """A message of the oracle, 25 ms after the picture of that number was sent first."""
    captured_ns = (1_025 + 40 * seq) * MS
    things = []
    if text is not None:
        box = (0.0, 0.0, 640.0, 360.0)
        things = [wire.Thing(0, "watermark", 1.0, box, (0.0, 0.0, 1.0, 1.0), text=text)]
    made = wire.DetectionsMessage(
        schema=wire.SCHEMA, session="s", camera="gate", epoch=0, seq=seq, frame=seq, captured=1.0,
        captured_mono_ns=captured_ns, scene_time=1.0, pts=None, source_time=None, published=1.0, width=640,
        height=360, model=wire.Model("oracle", "watermark", None, None),
        latency_ms=wire.Latency(1.0, 2.0, 3.0, 33.5), batch=1, dropped={}, quality=[], detections=things,
    )  # fmt: skip
    return wire.encode(made) + b"\n"


def test_the_account_has_all_that_the_command_shows() -> None:
    assert {
        "frames",
        "unreadable",
        "torn",
        "duplicates",
        "backwards",
        "skipped",
        "mixed_up",
        "never_sent",
    } <= set(Account.__slots__)
