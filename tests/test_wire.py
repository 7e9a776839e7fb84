"""Messages: what goes in comes out, and what is no message is refused."""

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer import Detections, Frame, ModelInfo, Quality, Result, Timing, wire
from streamer.wire import MessageError, decode, encode, message, read_jsonl, split, topic

SECOND_NS = 1_000_000_000
LABELS = ("person", "bicycle", "car", 'a "quoted" näme')


class Size:
    """A picture of which only the size is ever asked."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)

    def bgr(self) -> NDArray[np.uint8]:
        raise AssertionError("messages need no pixels")


@st.composite
def results(draw: st.DrawFn) -> Result:
    """Any result that the pipeline could make: sane sizes and times, boxes that may leave the picture."""
    n = draw(st.integers(0, 5))
    width, height = draw(st.integers(1, 8000)), draw(st.integers(1, 8000))
    live = draw(st.booleans())
    times = sorted(draw(st.lists(st.integers(0, 10**17), min_size=5, max_size=5)))

    def array(elements: st.SearchStrategy[Any], dtype: type, *shape: int) -> NDArray[Any]:
        count = int(np.prod(shape))
        values = draw(st.lists(elements, min_size=count, max_size=count))
        return np.array(values, dtype=dtype).reshape(shape)

    tracked = draw(st.booleans())
    return Result(
        frame=Frame(
            camera=draw(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)),
            epoch=draw(st.integers(0, 1000)),
            index=draw(st.integers(0, 2**40)),
            captured_ns=times[0],
            scene_ns=draw(st.integers(0, 10**17)),
            pts_ns=draw(st.none() | st.integers(-(10**15), 10**17)),
            source_ns=draw(st.none() | st.integers(0, 2 * 10**18)),
            keyframe=draw(st.booleans()),
            quality=draw(st.sampled_from(Quality)) | draw(st.sampled_from(Quality)),
            picture=Size(width, height),
            live=live,
        ),
        detections=Detections(
            LABELS,
            array(st.floats(-10_000, 10_000, width=32), np.float32, n, 4),
            array(st.floats(0, 1, width=32), np.float32, n),
            array(st.integers(0, len(LABELS) - 1), np.int32, n),
            array(st.integers(0, 2**62), np.int64, n) if tracked else None,
            array(st.booleans(), np.bool_, n) if tracked else None,
        ),
        model=ModelInfo(draw(st.text(max_size=20)), "python", draw(st.none() | st.just(640)), None),
        timing=Timing(*times),
        dropped=draw(st.dictionaries(st.sampled_from(["stale", "full", "late"]), st.integers(0, 10**9))),
        batch=draw(st.integers(1, 128)),
    )


def result(
    *, live: bool = True, boxes: list[list[float]] | None = None, tracked: bool = False, **times: int | None
) -> Result:
    """One result of known numbers, captured now."""
    now_ns = time.monotonic_ns()
    at = {"captured_ns": now_ns, "scene_ns": now_ns, "pts_ns": None, "source_ns": None} | times
    xyxy = np.array([[412, 188.5, 530.2, 611]] if boxes is None else boxes, np.float32)
    n = len(xyxy)
    frame = Frame(
        camera="gate",
        epoch=3,
        index=18430,
        keyframe=False,
        quality=Quality.DARK | Quality.FROZEN,
        picture=Size(1920, 1080),
        live=live,
        **at,  # type: ignore[arg-type]  # captured_ns and scene_ns are never None here
    )
    detections = Detections(
        LABELS,
        xyxy,
        np.full(n, 0.87, np.float32),
        np.zeros(n, np.int32),
        np.full(n, 41, np.int64) if tracked else None,
        np.zeros(n, np.bool_) if tracked else None,
    )
    steps_ms = (0, 2.1, 6.1, 32.4, 33.5)
    timing = Timing(*(frame.captured_ns + round(ms * 1e6) for ms in steps_ms))
    return Result(frame, detections, ModelInfo("yolo26n", "onnxruntime", 640, "fp32"), timing, {"stale": 3})


def decoded(payload: bytes) -> wire.DetectionsMessage:
    """The detections in a payload."""
    item = decode(payload)
    assert isinstance(item, wire.DetectionsMessage)
    return item


def as_json(item: wire.DetectionsMessage) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(encode(item))
    return loaded


@given(results(), st.integers(0, 2**40), st.sampled_from(["json", "msgpack"]))
@settings(deadline=None)
def test_a_message_comes_back_equal(made: Result, seq: int, encoding: wire.Encoding) -> None:
    sent = message(made, seq)
    assert decode(encode(sent, encoding)) == sent


@given(results())
@settings(deadline=None, max_examples=50)
def test_both_encodings_say_the_same(made: Result) -> None:
    sent = message(made, 0)
    assert json.loads(encode(sent, "json")) == msgspec.msgpack.decode(encode(sent, "msgpack"))


def test_the_keys_are_those_of_the_schema() -> None:
    seen = as_json(message(result(), 18422))
    # From the schema's description, word by word.
    assert set(seen) == {
        *("schema", "session", "camera", "epoch", "seq", "frame"),
        *("captured", "captured_mono_ns", "scene_time", "pts", "source_time", "published"),
        *("width", "height", "model", "latency_ms", "lag_ms", "batch", "dropped", "quality", "detections"),
    }
    assert seen["schema"] == "freshframe.detections/1"
    assert set(seen["model"]) == {"name", "engine", "imgsz", "precision"}
    assert set(seen["latency_ms"]) == {"queue", "batch", "infer", "total"}
    assert set(seen["detections"][0]) == {"class_id", "label", "score", "box", "box_n", "observed"}


def test_the_values_are_those_of_the_result() -> None:
    seen = as_json(message(result(), 18422))
    wanted = {
        "camera": "gate",
        "epoch": 3,
        "seq": 18422,
        "frame": 18430,
        "width": 1920,
        "height": 1080,
        "model": {"name": "yolo26n", "engine": "onnxruntime", "imgsz": 640, "precision": "fp32"},
        "latency_ms": {"queue": 2.1, "batch": 4.0, "infer": 26.3, "total": 33.5},
        "batch": 1,
        "dropped": {"stale": 3},
        "quality": ["frozen", "dark"],
    }
    assert {key: seen[key] for key in wanted} == wanted
    assert seen["detections"] == [
        {
            "class_id": 0,
            "label": "person",
            "score": 0.87,
            "box": [412.0, 188.5, 530.2, 611.0],
            "box_n": pytest.approx([0.2146, 0.1745, 0.2761, 0.5657], abs=5e-5),
            "observed": True,
        }
    ]


def test_a_tracker_adds_its_number_and_what_it_predicts() -> None:
    (thing,) = as_json(message(result(tracked=True), 0))["detections"]
    assert (thing["track"], thing["observed"]) == (41, False)


def test_what_a_detector_reads_is_its_text() -> None:
    made = result(boxes=[[0, 0, 1, 1]] * 3)
    for texts in (np.array(["B 123", "", 'ein "ß"\n']), np.array(["B 123", None, 7], object)):
        seen = replace(made, detections=replace(made.detections, extra={"text": texts}))
        things = as_json(message(seen, 0))["detections"]
        wanted = [None if text is None else str(text) for text in texts.tolist()]
        assert [thing.get("text") for thing in things] == wanted
        assert ["text" in thing for thing in things] == [text is not None for text in wanted]
        for encoding in ("json", "msgpack"):
            assert [thing.text for thing in decoded(encode(message(seen, 0), encoding)).detections] == wanted


def test_nothing_seen_is_said_too() -> None:
    sent = message(result(boxes=[]), 0)
    assert as_json(sent)["detections"] == []
    assert decode(encode(sent)) == sent


@given(results())
@settings(deadline=None, max_examples=50)
def test_box_n_is_the_box_in_shares_of_the_picture(made: Result) -> None:
    sent = message(made, 0)
    for thing in sent.detections:
        scale = (sent.width, sent.height) * 2
        back = [share * length for share, length in zip(thing.box_n, scale, strict=True)]
        assert back == pytest.approx(thing.box, abs=0.01 + 5e-6 * max(scale))


def test_missing_observed_means_observed() -> None:
    seen = as_json(message(result(), 0))
    del seen["detections"][0]["observed"]
    assert decoded(json.dumps(seen).encode()).detections[0].observed is True


@pytest.mark.parametrize("dump", [msgspec.json.encode, msgspec.msgpack.encode])
def test_unknown_keys_are_ignored(dump: Any) -> None:
    sent = message(result(), 7)
    seen = as_json(sent) | {"new": {"a": [1, None]}}
    for part in (seen["detections"][0], seen["model"], seen["latency_ms"]):
        part["later"] = [1.5, {"x": "y"}]
    assert decode(dump(seen)) == sent


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("schema", value) for value in ("freshframe.detections/2", "freshframe.event/1", None)),
        ("seq", "1"),
        ("captured", "now"),
        ("detections", {}),
        ("detections", [{}]),
        ("dropped", {"stale": "3"}),
        ("model", None),
    ],
)
def test_another_schema_and_wrong_types_are_refused(key: str, value: object) -> None:
    with pytest.raises(
        MessageError, match=r"not a freshframe\.detections/1( or freshframe\.health/1)? message"
    ):
        decode(json.dumps(as_json(message(result(), 0)) | {key: value}).encode())


def test_every_key_but_the_optional_ones_is_needed() -> None:
    seen = as_json(message(result(), 0))
    for key in set(seen) - {"lag_ms"}:  # it came later: files without it are read
        with pytest.raises(MessageError, match=key):
            decode(json.dumps({other: seen[other] for other in seen if other != key}).encode())


HOSTILE = [
    *(b"", b"\0", b"{", b"{}", b"null", b"[]", b"\xc1", b"\x80", b"\xff" * 100, b" \t\r\n"),
    b"{" * 100_000,
    b'{"schema":' + b"[" * 1_000_000,
    b'{"unknown":' + b"[" * 1_000_000,
    b"\x81\xa1x" + b"\x91" * 1_000_000,
    b"\x81\xaadetections\xdd\xff\xff\xff\xff",  # promises four thousand million things
    b"\x81\xa7dropped\xdf\xff\xff\xff\xff",
    b'{"session":"\xff\xfe"}',
    b'{"session":"\\ud800"}',
    b'{"seq":1e999}',
    b'{"seq":NaN}',
    b"\x81\xa1\xff\x01",
]


@pytest.mark.parametrize("payload", HOSTILE, ids=lambda payload: repr(payload[:12]))
def test_hostile_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(MessageError):
        decode(payload)


@given(st.binary() | st.binary().map(lambda tail: b"{" + tail))
def test_any_bytes_are_refused_in_one_way(payload: bytes) -> None:
    with pytest.raises(MessageError):
        decode(payload)


SENT = {kind: encode(message(result(tracked=True), 5), kind) for kind in ("json", "msgpack")}


@given(st.data(), st.sampled_from(sorted(SENT)))
@settings(deadline=None)
def test_damage_is_refused_or_read_never_worse(data: st.DataObject, encoding: wire.Encoding) -> None:
    payload = bytearray(SENT[encoding])
    for _ in range(data.draw(st.integers(0, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(payload)) | st.integers(1, len(payload)))
    with contextlib.suppress(MessageError):
        encode(decode(bytes(payload[:cut])))  # `listen --json` says it again


def test_live_times_are_unix_time() -> None:
    now_ns = time.monotonic_ns()
    before = time.time()
    sent = message(result(captured_ns=now_ns - SECOND_NS, scene_ns=now_ns - 2 * SECOND_NS), 0)
    after = time.time()
    assert before - 1.01 <= sent.captured <= after - 0.99
    assert sent.captured_mono_ns == now_ns - SECOND_NS
    # Within one message times agree to the microsecond.
    assert sent.captured - sent.scene_time == pytest.approx(1, abs=2e-6)
    assert sent.published - sent.captured == pytest.approx(0.0335, abs=2e-6)


def test_a_recordings_scene_time_is_the_files_own() -> None:
    sent = message(
        result(
            live=False, scene_ns=614_333_333_333, pts_ns=614_333_333_333, source_ns=1_760_000_000 * SECOND_NS
        ),
        0,
    )
    assert (sent.scene_time, sent.pts, sent.source_time) == (614.333333, 614.333333, 1_760_000_000.0)
    assert abs(sent.captured - time.time()) < 60


def test_the_session_is_the_processs_own() -> None:
    code = "from streamer import wire; print(wire.SESSION)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert message(result(), 0).session == message(result(), 1).session == wire.SESSION
    assert other.stdout.strip() not in ("", wire.SESSION)


def test_the_topic_ends_where_the_name_ends() -> None:
    assert topic("det", "cam1") == b"det.cam1\0"
    assert not topic("det", "cam10").startswith(topic("det", "cam1"))
    payload = encode(message(result(), 0), "msgpack")
    assert split(topic("det", "gate") + payload) == ("det.gate", payload)


@pytest.mark.parametrize("packet", [b"", b"det.gate", b'{"schema":1}', b"d\xe9t.gate\0{}"])
def test_a_packet_without_a_topic_is_refused(packet: bytes) -> None:
    with pytest.raises(MessageError, match="topic"):
        split(packet)


def lines(count: int) -> list[bytes]:
    return [encode(message(result(), seq)) + b"\n" for seq in range(count)]


def test_json_lines_are_read_back_in_order(tmp_path: Path) -> None:
    sent = [message(result(), seq) for seq in range(3)]
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"".join(encode(item) + b"\n" for item in sent))
    assert list(read_jsonl(path)) == list(read_jsonl(os.fspath(path))) == sent


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_torn_last_line_is_passed_over(tmp_path: Path, kept: int) -> None:
    first, second, third = lines(3)
    path = tmp_path / "out.jsonl"
    path.write_bytes(first + second + third[:kept])
    assert [item.seq for item in read_jsonl(path)] == [0, 1]


@pytest.mark.parametrize("damage", [b"\n", b"garbage\n", b'{"schema":"other/1"}\n', b"\xff\xfe\n"])
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes) -> None:
    first, second = lines(2)
    path = tmp_path / "out.jsonl"
    path.write_bytes(first + damage + second)
    read = read_jsonl(path)
    assert next(read).seq == 0
    with pytest.raises(MessageError, match=r"out\.jsonl, line 2: "):
        next(read)


def test_an_empty_file_has_no_messages(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.touch()
    assert list(read_jsonl(path)) == []
