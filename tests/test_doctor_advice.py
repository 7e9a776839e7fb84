"""What a report means, and the settings that come of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamer.config import read
from streamer.doctor.finding import Level
from streamer.doctor.flow import Flow
from streamer.doctor.settings import settings
from streamer.errors import Cause, SourceError
from streamer.setup.offers import Camera, Offer, Taken
from streamer.setup.page import tried
from streamer.sources import parse_address
from streamer.sources.causes import no_decoder, no_video
from streamer.sources.web_causes import compressed
from tests.doctor_films import finding, report_of


@pytest.mark.parametrize(
    ("found", "name", "text", "advice"),
    [
        ({"size": (3840, 2160)}, "size", "3840x2160", "substream: rtsp://192.0.2.1/stream2 may be it"),
        ({"measured_fps": 12.0, "announced_fps": 25.0}, "rate", "25 announced", "exposure"),
        ({"decode_s": 0.03}, "decoding", "75% of a core", "decode: key"),
        ({"interlaced": True}, "lines", "comb", "progressive"),
        ({"jitter_s": 0.2}, "jitter", "200.0 ms", "cable"),
        ({"connect_s": 4.0}, "connected", "4.0 s", "overloaded"),
        ({"lost": 3}, "transport", "3 packets", "bitrate"),
        ({"keyframe_every_s": 10.0, "keyframes": 2}, "keyframes", "every 10.0 s", "interval"),
        ({"clock_offset_s": -90.0}, "clock", "1.5 min behind", "NTP"),
        ({"clock_offset_s": -1.79e9}, "clock", "56.7 years behind", "NTP"),
        ({"damaged": 3}, "damaged", "3 of 50 pictures", "network"),
    ],
)
def test_what_could_be_better(found: dict[str, object], name: str, text: str, advice: str) -> None:
    said = finding(report_of("rtsp://192.0.2.1/stream1", **found), name)
    assert said.level is Level.WARNING
    assert text in said.text
    assert advice in said.advice


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (compressed(parse_address("http://192.0.2.1/video"), "gzip"), "compression (gzip)"),
        (no_video(parse_address("http://192.0.2.1/video"), ["audio"]), "the address of its video"),
        (no_decoder(parse_address("http://192.0.2.1/video")), "H.264 or H.265"),
    ],
)
def test_what_cannot_be_decoded_has_its_own_advice(failure: SourceError, advice: str) -> None:
    said = finding(report_of("http://192.0.2.1/video", failure=failure), "failed")
    assert advice in said.advice


def test_settings_are_a_configuration_without_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "rtsp://joe:sesame7@192.0.2.1:554/stream1?token=abcdef&a=$$5"
    report = report_of(address, size=(3840, 2160), measured_fps=60.0, decode_s=0.001)
    yaml = settings(report)
    assert yaml is not None
    assert "sesame7" not in yaml
    assert "abcdef" not in yaml
    path = tmp_path / "cameras.yaml"
    path.write_text(yaml)
    for name, value in (("USER", "joe"), ("PASSWORD", "sesame7"), ("TOKEN", "abcdef")):
        monkeypatch.setenv(f"CAM_192_0_2_1_{name}", value)
    (camera,) = read(path).config.cameras.values()
    assert camera.source == address, "what was seen to work"
    assert "/stream2" in yaml, "a guess, in a comment"
    assert camera.max_fps is None, "it would save nothing: all are decoded"


def test_settings_for_a_camera_that_is_hard_to_decode(tmp_path: Path) -> None:
    report = report_of("rtsp://192.0.2.1/live", decode_s=0.05, keyframe_every_s=1.0)
    yaml = settings(report)
    assert yaml is not None
    (tmp_path / "cameras.yaml").write_text(yaml)
    (camera,) = read(tmp_path / "cameras.yaml").config.cameras.values()
    assert camera.decode == "key"
    for fits in ({"decode_s": 0.03, "keyframe_every_s": 1.0}, {"decode_s": 0.05}):
        assert "decode: key" not in str(settings(report_of("rtsp://192.0.2.1/live", **fits)))


def test_keyframes_alone_are_no_way_out_where_each_picture_is_one() -> None:
    found = {"codec": "mjpeg", "transport": None, "decode_s": 0.05, "measured_fps": 30.0}
    report = report_of("http://192.0.2.1/video", **found, keyframe_every_s=0.04)
    assert "decode: key" not in str(settings(report))
    assert finding(report, "decoding").advice == "a substream, or fewer pictures a second"


def test_a_webcam_that_gives_few_pictures(tmp_path: Path) -> None:
    found = {"transport": None, "codec": "YUYV", "announced_fps": 5.0, "measured_fps": 5.0}
    report = report_of("usb:0", **found)
    said = finding(report, "rate")
    assert (said.level, "uncompressed" in said.advice) == (Level.WARNING, True)
    (tmp_path / "cameras.yaml").write_text(str(settings(report)))
    (camera,) = read(tmp_path / "cameras.yaml").config.cameras.values()
    assert camera.size == "640x480"
    assert finding(report_of("usb:0", **found | {"codec": "mjpeg"}), "rate").advice == "try size: 640x480"


def test_a_burst_at_the_start_is_not_the_rate() -> None:
    flow = Flow(live=True)
    for number in range(100):  # two seconds of the past at once, then live
        arrived_ns = max(0, number - 50) * 40_000_000
        stamp_ns = number * 40_000_000
        flow.add(1000, keyframe=number % 50 == 0, arrived_ns=arrived_ns, pts_ns=stamp_ns, dts_ns=stamp_ns)
    assert flow.fps == pytest.approx(25)
    assert not flow.stamps_off
    assert flow.timeline.keyframe_every_s == pytest.approx(2)
    assert flow.bits_per_s == pytest.approx(1000 * 8 * 25)


def test_waiting_for_the_first_keyframe_counts() -> None:
    flow = Flow(live=True)
    for number in range(200):
        at_ns = number * 40_000_000
        keyframe = number >= 100 and number % 25 == 0
        flow.add(1000, keyframe=keyframe, arrived_ns=at_ns, pts_ns=at_ns, dts_ns=at_ns)
    assert flow.timeline.keyframe_every_s == pytest.approx(1)
    assert flow.timeline.no_keyframe_s == pytest.approx(4)
    assert flow.jitter_s == pytest.approx(0)


@pytest.mark.parametrize("jump_s", [-9.0, -3600.0, 8.0])
def test_stamps_that_jump_make_no_keyframe_interval(jump_s: float) -> None:
    flow = Flow(live=True)
    for number in range(200):
        at_ns = number * 40_000_000
        shown_ns = at_ns + int(jump_s * 1e9) * (number >= 60)
        flow.add(1000, keyframe=number % 25 == 0, arrived_ns=at_ns, pts_ns=shown_ns, dts_ns=None)
    assert flow.timeline.keyframe_every_s == pytest.approx(1)
    assert flow.timeline.no_keyframe_s == pytest.approx(1)


def test_a_short_interval_in_a_short_look_is_not_taken_for_the_rule() -> None:
    """Of a clip that begins anew just then: one keyframe before, one behind, and no other for long."""
    flow = Flow(live=True)
    for number in range(50):
        at_ns = number * 40_000_000
        flow.add(1000, keyframe=number in (0, 8), arrived_ns=at_ns, pts_ns=at_ns, dts_ns=None)
    times = flow.timeline
    report = report_of(
        "rtsp://192.0.2.1/live",
        keyframes=2,
        keyframe_every_s=times.keyframe_every_s,
        no_keyframe_s=times.no_keyframe_s,
        watched_s=times.span_s,
    )
    assert finding(report, "keyframes").text == "1.64 s apart or more"
    assert not replace(report, keyframes=4, no_keyframe_s=0.33).keyframes_unclear
    assert replace(report, no_keyframe_s=0.33).keyframes_unclear
    address = report.address
    camera = Camera("gate", "x", (Offer(address.text, address),))
    assert "keyframe" not in tried(Taken(camera, camera.offers[0], replace(report, pictures=9), ""))


def test_a_recording_from_a_web_server_is_no_camera() -> None:
    flow = Flow(live=True)
    for number in range(1000):
        flow.add(1, keyframe=False, arrived_ns=number * 3_000_000, pts_ns=number * 40_000_000, dts_ns=None)
    assert flow.stamps_off
    report = report_of("http://192.0.2.1/a.mp4", stamps_off=True, transport=None)
    assert "recording" in finding(report, "stamps").advice


def test_stamps_that_stand_still() -> None:
    flow = Flow(live=True)
    for number in range(100):
        flow.add(1, keyframe=False, arrived_ns=number * 40_000_000, pts_ns=0, dts_ns=0)
    assert flow.stamps_off
    assert flow.fps == pytest.approx(25)
    assert finding(report_of("rtsp://192.0.2.1/a", stamps_off=True), "stamps").level is Level.WARNING


def test_stamps_that_jump_once_are_no_b_frames() -> None:
    flow = Flow(live=True)
    for number in range(100):
        at_ns = number * 40_000_000
        flow.add(
            1, keyframe=False, arrived_ns=at_ns, pts_ns=at_ns - 200_000_000 * (number > 50), dts_ns=at_ns
        )
    assert flow.b_frames is False


def test_errors_hold_no_password_either() -> None:
    failure = SourceError(Cause.NETWORK, "rtsp://***@192.0.2.1/a: it failed")
    report = report_of("rtsp://joe:sesame7@192.0.2.1/a", failure=failure)
    assert finding(report, "failed").text == "it failed"
