"""A part of a recording, and its keyframes alone: exactly what the whole of it would give."""

from itertools import pairwise
from pathlib import Path

import pytest
from source_clips import in_real_time, make_clip, read

from streamer.clock import ManualClock
from streamer.contracts import Captured
from streamer.errors import Cause, ConfigError, SourceError
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.decoding import Decoding
from streamer.sources.options import read_time

FORMS = [
    ("b.mp4", "libx264", {"bf": "3", "g": "12"}),
    ("b.mkv", "libx264", {"bf": "3", "b-pyramid": "strict", "g": "12"}),
    ("b.ts", "libx264", {"bf": "3", "g": "12"}),
    ("mpeg4.ts", "mpeg4", {"g": "12", "sc_threshold": "1000000000"}),
    ("b.flv", "libx264", {"bf": "2", "g": "12"}),
    ("b.avi", "libx264", {"bf": "3", "g": "12"}),
    ("b.h264", "libx264", {"bf": "2", "g": "12"}),
    ("open.ts", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1"}),
    ("open.mp4", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1"}),
    ("refresh.ts", "libx264", {"x264-params": "intra-refresh=1:keyint=12"}),
    ("hevc.mp4", "libx265", {"x265-params": "log-level=none:bframes=3:keyint=12"}),
    ("one.mp4", "libx264", {"g": "1000"}),
    ("vp8.webm", "libvpx", {"deadline": "realtime", "cpu-used": "8", "g": "12"}),
]
every_form = pytest.mark.parametrize("form", FORMS, ids=[name for name, _, _ in FORMS], indirect=True)


@pytest.fixture(scope="module")
def form(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 60 pictures in one of the forms."""
    name, codec, options = request.param
    return make_clip(tmp_path_factory.mktemp("form") / name, 60, codec, **options)


def part(path: str | Path, **asked: float | str | None) -> list[Captured]:
    with open_source(parse_address(str(path)), SourceOptions(**asked)) as source:  # type: ignore[arg-type]
        return list(source)


def seen(captured: list[Captured]) -> list[tuple[int | None, bool, bool, bytes]]:
    return [(one.pts_ns, one.keyframe, one.damaged, one.picture.bgr().tobytes()) for one in captured]


@every_form
def test_a_part_is_exact_to_the_picture_and_keeps_its_times(form: Path) -> None:
    whole = seen(read(form))
    edge_s = (whole[20][0] or 0) / 1e9
    parts = [
        (0.0, None),
        (0.01, None),
        (0.5, None),
        (1.0, 1.5),
        (edge_s, edge_s + 0.1),
        (1.9, 9.0),
        (None, 0.7),
    ]
    for from_s, to_s in parts:
        begin_ns, end_ns = round((from_s or 0) * 1e9), round((to_s or 99) * 1e9)
        expected = [one for one in whole if begin_ns <= (one[0] or 0) < end_ns]
        assert expected
        assert seen(part(form, from_s=from_s, to_s=to_s)) == expected, (from_s, to_s)


def test_a_part_is_found_without_decoding_what_lies_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "a.mp4", 120, bf="2", g="10", preset="ultrafast")
    decoded = []
    real = Decoding.decode

    def decode(self: Decoding, packet: object, captured_ns: int) -> object:
        decoded.append(packet)
        return real(self, packet, captured_ns)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoding, "decode", decode)
    assert len(part(clip, from_s=3.5)) == 15
    assert len(decoded) < 50


def test_a_part_beyond_the_end_names_the_length(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.ts", "a.h264"):
        clip = make_clip(tmp_path / name, 60)
        with pytest.raises(SourceError, match=r"'from' is 50 s, and it is only 2\.0 s long") as caught:
            part(clip, from_s=50.0)
        assert caught.value.cause is Cause.NOT_FOUND
    assert len(part(clip, to_s=50.0)) == 60


def test_a_file_that_breaks_off_says_so_only_where_that_part_is_wanted(tmp_path: Path) -> None:
    data = make_clip(tmp_path / "a.mp4", 90, movflags="faststart", g="15").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    assert len(part(tmp_path / "cut.mp4", from_s=0.5, to_s=1.0)) == 15
    with pytest.raises(SourceError, match=r"breaks off after .* of the 3\.0 s"):
        part(tmp_path / "cut.mp4", from_s=0.5)


@every_form
def test_keyframes_alone(form: Path) -> None:
    whole, alone = read(form), part(form, decode="key")
    shown = [one.picture.bgr().tobytes() for one in whole]
    numbers = [shown.index(one.picture.bgr().tobytes()) for one in alone]
    keys = [number for number, one in enumerate(whole) if one.keyframe]
    assert numbers == (
        keys[:1] if form.name.startswith("refresh") else keys
    )  # a refresh needs what lies before
    assert all(one.keyframe for one in alone)
    # In decoding order: what is reordered round a keyframe is counted on its other side.
    assert sum(one.undecoded for one in alone) <= 60 - len(alone)
    if len(alone) > 1:
        gaps = [later - earlier - 1 for earlier, later in pairwise(numbers)]
        assert [one.undecoded for one in alone][1:] == pytest.approx(gaps, abs=4)
    for one, number in zip(alone, numbers, strict=True):
        assert one.pts_ns == pytest.approx(number * 1e9 / 30, abs=4e6)


def test_keyframes_of_a_part(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, bf="2", g="10", sc_threshold="0")
    alone = part(clip, decode="key", from_s=0.5, to_s=1.5)
    assert [round((one.pts_ns or 0) * 30 / 1e9) for one in alone] == [20, 30, 40]
    # Nothing from before the part is counted.
    assert [one.undecoded for one in alone] == pytest.approx([5, 9, 9], abs=2)


@pytest.mark.timeout(30)
def test_a_part_is_played_in_real_time(tmp_path: Path) -> None:
    clock = ManualClock(5_000_000_000)
    clip = make_clip(tmp_path / "a.mp4", 60)
    options = SourceOptions(live=True, from_s=1.0, to_s=1.2)
    source = open_source(parse_address(str(clip)), options, clock=clock)
    captured = in_real_time(source, clock)
    assert [one.pts_ns for one in captured] == pytest.approx([1e9 + n * 1e9 / 30 for n in range(6)], abs=1e6)
    assert captured[-1].captured_ns - captured[0].captured_ns == pytest.approx(5e9 / 30, abs=2e6)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90.5", 90.5),
        ("1:30", 90),
        ("01:30.250", 90.25),
        ("75:00", 4500),
        ("1:02:03.004", 3723.004),
    ],
)
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert read_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "-1", "1:60", "1:61:00", "::", "1:2:3:4", "1e3", "nan", "inf", "١", "1:30 ", "x" * 9999]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="MM:SS") as caught:
        read_time(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("address", "asked", "says"),
    [
        ("rtsp://h/x", {"from_s": 1.0}, "'from' is for recordings"),
        ("usb:0", {"to_s": 1.0}, "'to' is for recordings"),
        ("a.jpg", {"from_s": 1.0}, "'from' is for video files"),
        ("synthetic:?count=9", {"to_s": 1.0}, "'to' is for video files"),
        ("a.mp4", {"from_s": 2.0, "to_s": 2.0}, "'to' must be later"),
        ("a.mp4", {"to_s": 0.0}, "'to' must be later"),
        ("a.mp4", {"from_s": -1.0}, "'from' is -1"),
        ("a.mp4", {"from_s": float("nan")}, "'from' is nan"),
        ("a.mp4", {"to_s": float("inf")}, "'to' is inf"),
        ("usb:0", {"decode": "key"}, "decode: key is for compressed video"),
        ("pictures/*.jpg", {"decode": "key"}, "decode: key is for compressed video"),
        ("synthetic:", {"decode": "key"}, "decode: key is for compressed video"),
        ("a.mp4", {"decode": "some"}, "allowed: all, key"),
    ],
)
def test_what_cannot_be_asked(address: str, asked: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_source(parse_address(address), SourceOptions(**asked))  # type: ignore[arg-type]
