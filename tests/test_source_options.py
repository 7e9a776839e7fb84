"""`from`, `to`, `decode` and folders of video files as users write them, in configurations and as flags."""

import re
from pathlib import Path

import pytest
from source_clips import make_clip

from streamer import wire
from streamer.cli.commands import main
from streamer.config import load
from streamer.errors import ConfigError
from streamer.sources import SourceOptions, parse_address
from tests.running import ROOT, freshframe

CONFIG = """\
model: {use: "mine:Bright"}
cameras:
  car: {source: card, SAID}
sinks:
  - {use: jsonl, path: out.jsonl}
"""


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dashcam's files, the last one cut off."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "mine.py").write_text((ROOT / "tests" / "mine.py").read_text())
    (folder / "card").mkdir()
    for name in "ab":
        make_clip(folder / "card" / f"{name}.mp4", 45, g="15", sc_threshold="0")
    (folder / "card" / "a.gps").write_text("51 N")
    return folder


def configured(folder: Path, said: str) -> Path:
    path = folder / "cameras.yaml"
    path.write_text(CONFIG.replace("SAID", said))
    return path


@pytest.mark.parametrize(
    ("said", "from_s", "to_s"),
    [
        ("from: 90", 90, None),
        ("from: 1:30, to: 1:31.5", 90, 91.5),  # as YAML 1.1 reads such numbers by itself
        ("from: '1:30', to: '00:01:31.500'", 90, 91.5),
        ("to: 0.25", None, 0.25),
        ("from: null", None, None),
    ],
)
def test_times_in_a_configuration(card: Path, said: str, from_s: float | None, to_s: float | None) -> None:
    options = load(configured(card, said)).cameras["car"].options
    assert (options.from_s, options.to_s, options.decode) == (from_s, to_s, "all")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("from: soon", "cameras.car.from: 'soon' is no time in a recording; allowed: seconds, or [HH:]MM:SS"),
        ("from: -1", "cameras.car.from: found -1"),
        ("from: .inf", "cameras.car.from"),
        ("to: [1]", "cameras.car.to"),
        ("decode: some", "cameras.car.decode: found 'some'; allowed: all or key"),
        ("form: 1", "cameras.car.form: unknown key"),
        ("from_: 1", "did you mean from?"),
    ],
)
def test_what_is_wrong_names_the_key(card: Path, said: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(configured(card, said))
    assert says in str(caught.value)


@pytest.mark.parametrize("key", ["from", "to"])
def test_a_time_that_no_recording_reaches_is_refused_before_the_start(card: Path, key: str) -> None:
    """YAML reads 1.0e+300 as a number, and in nanoseconds that is infinite."""
    done = freshframe("run", configured(card, f"{key}: 1.0e+300"), cwd=card)
    assert done.returncode == 2
    assert f"'{key}' is 1e+300; allowed: seconds" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_part_of_a_folder_of_films(card: Path) -> None:
    done = freshframe("run", configured(card, "from: 1.4, to: 1.6, decode: all"), cwd=card)
    assert done.returncode == 0, done.stderr
    messages = list(wire.read_jsonl(card / "out.jsonl"))
    assert [message.frame for message in messages] == list(range(6))
    assert [message.scene_time for message in messages] == pytest.approx(
        [(42 + n) / 30 for n in range(6)], abs=2e-3
    )


def test_what_is_left_out_stands_in_the_messages(card: Path) -> None:
    done = freshframe("run", configured(card, "decode: key"), cwd=card)
    assert done.returncode == 0, done.stderr
    messages = list(wire.read_jsonl(card / "out.jsonl"))
    assert [message.frame for message in messages] == [0, 15, 30, 45, 60, 75]
    assert [message.dropped.get("decode", 0) for message in messages] == [0, 14, 14, 14, 14, 14]


def test_a_file_that_was_cut_off_fails_at_the_end(card: Path) -> None:
    lost = card / "card" / "c.mp4"
    lost.write_bytes(b"\0\0\0\x18ftypisom" + bytes(5000))
    done = freshframe("run", configured(card, "to: 99"), cwd=card)
    lost.unlink()
    assert done.returncode == 1, done.stderr
    assert "1 of 3 video files cannot be read to the end: c.mp4: begins like an MP4 file" in done.stderr
    assert len(list(wire.read_jsonl(card / "out.jsonl"))) == 90


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("detect", "rtsp://192.0.2.1/x", "--from", "1"), "is live; 'from' is for recordings"),
        (("detect", "card", "--from", "soon"), "--from: 'soon' is no time in a recording"),
        (("detect", "card", "--to", "1", "--from", "2"), "'to' is 1 s, and 'from' 2 s"),
        (("detect", "card", "--video", "card/out.mp4"), "card/out.mp4 is the recording to be read"),
        (("detect", "card/*.mp4", "--video", "card/out.mp4"), "card/out.mp4 is the recording to be read"),
    ],
)
def test_flags(
    card: Path,
    arguments: tuple[str, ...],
    says: str,
    yolo26n: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(card)
    try:
        status: object = main(arguments)
    except SystemExit as exited:
        status = exited.code
    assert status == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rtsps://192.0.2.1/x", "over udp its pictures would come unencrypted"),
        ("https://192.0.2.1/x.m3u8", "transport: udp is for rtsp:// cameras"),
        ("usb:0", "transport: udp is for rtsp:// cameras"),
        ("synthetic:", "transport: udp is for rtsp:// cameras"),
    ],
)
def test_udp_is_asked_of_rtsp_only(text: str, says: str) -> None:
    """Of rtsps least of all: whoever writes it wants nobody else to see the pictures."""
    options = SourceOptions(transport="udp")
    with pytest.raises(ConfigError, match=re.escape(says)):
        options.check(parse_address(text))
    options.check(parse_address("rtsp://192.0.2.1/x"))


def test_check_says_what_cannot_be_asked(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(card, "from: 2, to: 1")
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr().err
    assert "cameras.car" in said
    assert "'to' must be later" in said
