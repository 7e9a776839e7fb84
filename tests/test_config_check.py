"""`freshframe check`: what it tries, and what it warns of."""

import argparse
import os
import sys
from pathlib import Path

import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from streamer.assets import find
from streamer.cli import advice
from streamer.cli.check import add_parser
from streamer.sources.substreams import substream
from tests.served_display import serving

pytestmark = pytest.mark.timeout(60)

SECRET = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"  # RFC 26's
PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
OWN = "model: {use: 'own_things:Dog'}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a detector of one's own in it, which needs no weights; and nothing of this machine's."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # `check` adds the configuration's folder
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SUBSTREAM", "live")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(advice, "physical_cores", lambda: 2)
    (tmp_path / "own_things.py").write_text(
        "class Dog:\n    labels = ('dog', 'cat')\n    def __init__(self, **options): ...\n"
        "    def __enter__(self): return self\n    def __exit__(self, *exc): ...\n"
        "    def detect(self, views): ...\n"
        "class Late(Dog):\n    labels = ()\n"
    )
    sys.modules.pop("own_things", None)
    return tmp_path


def check(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, list[str]]:
    """Exit status, stdout, and the lines of stderr without the file's name and without the last word."""
    path = folder / "c.yaml"
    path.write_text(text)
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["check", str(path)])
    status = args.run(args)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert all(line.startswith(f"{path}:") for line in lines), err
    if status == 0:
        count = len(lines) - 1
        assert (
            lines.pop() == f"{path}: no problems{['', ', 1 warning', f', {count} warnings'][min(count, 2)]}"
        )
    return status, out, [line.removeprefix(f"{path}:") for line in lines]


RTSP = "rtsp://192.0.2.1"
ADVICE = {
    "a password": (
        "cameras:\n  gate-2: {source: 'rtsp://viewer:hunter2@192.0.2.1/live'}\n",
        "3: warning: cameras.gate-2.source: a password stands in the file, for whoever reads it; write "
        "${GATE_2_PASSWORD} in its place and set GATE_2_PASSWORD in the environment",
    ),
    "a password of a camera whose name begins with a digit": (
        "cameras:\n  2nd: {source: 'rtsp://viewer:hunter2@192.0.2.1/live'}\n",
        "3: warning: cameras.2nd.source: a password stands in the file, for whoever reads it; write "
        "${CAMERA_2ND_PASSWORD} in its place and set CAMERA_2ND_PASSWORD in the environment",
    ),
    "a password behind the path": (
        "cameras: {gate: {source: 'http://192.0.2.1/a.mjpg?user=a&password=hunter2'}}\n",
        "2: warning: cameras.gate.source: a password stands in the file",
    ),
    "a password beside a variable": (
        "cameras: {gate: {source: 'rtsp://viewer:hunter2@192.0.2.1/${SUBSTREAM}'}}\n",
        "2: warning: cameras.gate.source: a password stands in the file",
    ),
    "a secret key": (
        "cameras: {gate: {source: 'synthetic:'}}\nsinks:\n  - use: zmq\n    endpoint: ipc://a\n"
        f"    curve: {{secret_key: {SECRET!r}, clients: [{PUBLIC!r}]}}\n",
        "6: warning: sinks.0.curve.secret_key: the secret key stands in the file, for whoever reads it; "
        "write ${ZMQ_SECRET_KEY} in its place and set ZMQ_SECRET_KEY in the environment",
    ),
    "a main stream": (
        f"cameras: {{gate: {{source: '{RTSP}/Streaming/Channels/101'}}}}\n",
        "2: warning: cameras.gate.source: this looks like the camera's main stream, several times the work "
        "of its substream, and decoding it costs that much; try rtsp://192.0.2.1/Streaming/Channels/102 "
        "(`freshframe doctor` tells the size of either)",
    ),
    "the same address twice": (
        f"cameras:\n  a: {{source: '{RTSP}/live'}}\n  b: {{source: '{RTSP}/live', classes: [dog]}}\n",
        "4: warning: cameras.b.source: a and b read the same address: cameras serve few connections, and "
        "each is decoded on its own. One camera may have several polygons in its region",
    ),
    "a recording that is not there": (
        "cameras: {gate: {source: films/gate.mp4}}\n",
        "2: warning: cameras.gate.source: there is no {folder}/films/gate.mp4; `run` cannot read it",
    ),
    "a picture smaller than what the network sees": (
        "cameras: {gate: {source: 'usb:0', size: 640x480, model: {name: yolo26n, imgsz: 1280}}}\n",
        "2: warning: cameras.gate.size: the network's input of 1280 is larger than the picture of 640x480: "
        "that costs time and shows nothing more; give imgsz: 640, or a larger size",
    ),
    "more than a webcam gives": (
        "cameras: {gate: {source: 'usb:0', fps: 15, detect_fps: 15}}\n",
        "2: warning: cameras.gate.detect_fps: it changes nothing: no more than 15 frames a second come",
    ),
    "a window without a display": (
        "cameras: {gate: {source: 'synthetic:'}}\nsinks: [{use: window}]\n",
        "3: warning: sinks.0: there is no display here: DISPLAY is not set; run it",
    ),
    "a rate that changes nothing": (
        f"cameras: {{gate: {{source: '{RTSP}/live', max_fps: 5, detect_fps: 5}}}}\n",
        "2: warning: cameras.gate.detect_fps: it changes nothing: no more than 5 frames a second come; leave "
        "it out, or ask for less",
    ),
    "an open door": (
        "cameras: {gate: {source: 'synthetic:'}}\n"
        "sinks: [{use: zmq, endpoint: 'tcp://*:5555', insecure: true}]\n",
        "3: warning: sinks.0.insecure: whoever reaches this machine can read what is seen, unencrypted; give "
        "keys (`curve:`), or listen on 127.0.0.1",
    ),
    "many films": (
        f"cameras: {{a: {{source: 'synthetic:'}}, b: {{source: 'synthetic:'}}, c: {{source: '{RTSP}/'}}}}\n"
        "sinks:\n  - {use: video, path: '{camera}.mp4'}\n",
        "4: warning: sinks.0: 3 films are encoded at once on 2 cores, which detection wants too; write jsonl "
        "instead, or look less often (`detect_fps`)",
    ),
    "a file in a file": (
        "cameras: {gate: {source: 'synthetic:'}}\nsinks: [{use: jsonl, path: c.yaml/out/found.jsonl}]\n",
        "3: warning: sinks.0.path: {folder}/c.yaml is no folder; write elsewhere, or mend that first",
    ),
    "a folder in a file's place": (
        "cameras: {gate: {source: 'synthetic:'}}\nsinks: [{use: jsonl, path: .}]\n",
        "3: warning: sinks.0.path: {folder} is a folder; write elsewhere",
    ),
}


@pytest.mark.parametrize(("text", "said"), ADVICE.values(), ids=ADVICE.keys())
def test_what_will_not_work_well_is_said(
    folder: Path, text: str, said: str, capsys: pytest.CaptureFixture[str], yolo26n: Path
) -> None:
    status, out, lines = check(folder, OWN + text, capsys)
    assert status == 0
    assert len(lines) == 1, lines
    assert lines[0].startswith(said.replace("{folder}", str(folder)))
    assert "hunter2" not in out + lines[0]
    assert SECRET not in out + lines[0]
    assert set(yaml.safe_load(out)) == {"model", "cameras", "sinks"}


QUIET = {
    "a password from the environment": "cameras: {a: {source: 'rtsp://u:${PASSWORD}@192.0.2.1/live'}}\n",
    "a user without a password": "cameras: {a: {source: 'rtsp://viewer@192.0.2.1/live'}}\n",
    "a substream": f"cameras: {{a: {{source: '{RTSP}/stream2'}}}}\n",
    "a main stream of which a part is looked at": f"cameras: {{a: {{source: '{RTSP}/stream1', "
    "region: [[0, 0], [0.5, 0], [0, 0.5]], look_at: region}}\n",
    "a recording twice": "cameras: {a: {source: film.mp4}, b: {source: film.mp4}}\n",
    "a rate below another": f"cameras: {{a: {{source: '{RTSP}/live', max_fps: 10, detect_fps: 5}}}}\n",
    "keys": "cameras: {a: {source: 'synthetic:'}}\nsinks:\n  - use: zmq\n    endpoint: tcp://*:5555\n"
    f"    curve: {{secret_key: '${{KEY}}', clients: [{PUBLIC!r}]}}\n",
    "insecure where nobody comes": "cameras: {a: {source: 'synthetic:'}}\n"
    "sinks: [{use: zmq, endpoint: 'tcp://127.0.0.1:5555', insecure: true}]\n",
    "few films, in a folder to be made": "cameras: {a: {source: 'synthetic:'}, b: {source: 'synthetic:'}}\n"
    "sinks: [{use: video, path: 'new/films/{camera}.mp4'}]\n",
    "a window on a display": "cameras: {a: {source: 'synthetic:'}}\nsinks: [{use: window}]\n",
    "pictures by a pattern": "cameras: {a: {source: 'pictures/*.png'}}\n",
}


@pytest.mark.parametrize("text", QUIET.values(), ids=QUIET.keys())
def test_what_is_well_is_not_talked_about(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2")
    monkeypatch.setenv("KEY", SECRET)
    (folder / "film.mp4").touch()
    with serving(folder / "X") as display:
        monkeypatch.setenv("DISPLAY", display)
        status, _, lines = check(folder, OWN + text, capsys)
    assert (status, lines) == (0, [])


def test_a_folder_that_may_not_be_written_to(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    text = "cameras: {gate: {source: 'synthetic:'}}\nsinks: [{use: jsonl, path: found.jsonl}]\n"
    _, _, lines = check(folder, OWN + text, capsys)
    assert lines == [
        f"3: warning: sinks.0.path: {folder} may not be written to; write elsewhere, or mend that first"
    ]


# Models and classes

GATE = "cameras:\n  gate: {source: 'synthetic:'}\n"


def test_a_model_that_is_not_in_the_cache_is_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHFRAME_CACHE", str(folder / "cache"))
    status, out, lines = check(folder, "model: yolo26n\n" + GATE, capsys)
    assert status == 0
    assert yaml.safe_load(out)["model"]["name"] == "yolo26n"
    assert len(lines) == 1
    assert lines[0].startswith("1: warning: model: yolo26n is not in the cache (")
    assert lines[0].endswith("Run `freshframe models pull yolo26n` where there is a network.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "model: yolo26m\n" + GATE,
            "1: model: the catalogue has no 'yolo26m': did you mean yolo26n? It has plates, yolo26n; "
            "for any other model give the path of its .pt or .onnx file",
        ),
        ("model: bikes\n" + GATE, "1: model: bikes is a clip, not a model"),
        ("model: best.onnx\n" + GATE, "1: model: there is no model file {folder}/best.onnx"),
        (OWN + GATE + "  yard:\n    source: 'synthetic:'\n    model: best.pt\n",
         "6: cameras.yard.model: there is no model file {folder}/best.pt"),
        ("model: {use: 'own_things:Cat'}\n" + GATE, "1: model: module own_things has no 'Cat'"),
        (
            OWN + GATE + "  yard: {source: 'synthetic:', classes: [dgo]}\n",
            "4: cameras.yard: the model own_things:Dog knows no 'dgo'; did you mean dog?",
        ),
        (
            OWN + "cameras:\n  gate: {source: 'synthetic:', conf: {kat: 0.5, default: 0.1}}\n",
            "3: cameras.gate: the model own_things:Dog knows no 'kat'; did you mean cat?",
        ),
    ],
)  # fmt: skip
def test_what_run_would_refuse_is_refused(
    folder: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, lines = check(folder, text, capsys)
    assert (status, out) == (2, "")
    assert len(lines) == 1
    assert lines[0].startswith(said.replace("{folder}", str(folder)))


def test_classes_of_the_default_model_are_known_without_loading_it(
    folder: Path, capsys: pytest.CaptureFixture[str], yolo26n: Path
) -> None:
    assert find("yolo26n").labels[:2] == ("person", "bicycle")
    text = "model: {classes: [person, bycicle]}\n" + GATE + "  yard: {source: 'synthetic:', classes: [car]}\n"
    status, _, lines = check(folder, text, capsys)
    assert (status, lines) == (2, ["1: model: the model yolo26n knows no 'bycicle'; did you mean bicycle?"])


def test_a_models_mistake_is_said_once_where_it_stands(
    folder: Path, capsys: pytest.CaptureFixture[str], yolo26n: Path
) -> None:
    """And a camera's at the camera; one that nobody inherits is none, as for `run`."""
    text = (
        "model: {classes: [perzon, car]}\n"
        "cameras:\n"
        "  a: {source: 'synthetic:'}\n"
        "  b: {source: 'synthetic:', conf: {car: 0.5}}\n"
        "  c: {source: 'synthetic:', classes: [kar]}\n"
        "  d: {source: 'synthetic:', model: {conf: {bos: 0.3, default: 0.2}}}\n"
    )
    assert check(folder, text, capsys)[2] == [
        "1: model: the model yolo26n knows no 'perzon'; did you mean person?",
        "5: cameras.c: the model yolo26n knows no 'kar'; did you mean car?",
        "6: cameras.d.model: the model yolo26n knows no 'bos'; did you mean bus?",
    ]
    text = "model: {classes: [perzon]}\ncameras: {a: {source: 'synthetic:', classes: [car]}}\n"
    assert check(folder, text, capsys)[::2] == (0, [])


def test_classes_of_an_onnx_file_are_those_that_it_states(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["output"], value_floats=[0.0] * 6)],
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ("batch", 3, "height", "width"))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 1, 6))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"names": "{0: 'forklift', 1: 'pallet'}"})
    onnx.save(model, folder / "own.onnx")
    text = "model: own.onnx\ncameras: {gate: {source: 'synthetic:', classes: [%s]}}\n"
    assert check(folder, text % "pallet", capsys)[::2] == (0, [])
    status, _, lines = check(folder, text % "palet", capsys)
    assert status == 2
    assert lines == [f"2: cameras.gate: the model {folder}/own.onnx knows no 'palet'; did you mean pallet?"]
    (folder / "own.onnx").write_bytes(b"no network")
    status, _, lines = check(folder, text % "pallet", capsys)
    assert status == 2
    assert lines[0].startswith(f"2: cameras.gate: {folder}/own.onnx cannot be loaded")


def test_a_detector_that_knows_its_labels_later_is_not_judged_yet(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "model: {use: 'own_things:Late'}\ncameras: {gate: {source: 'synthetic:', classes: [tree]}}\n"
    assert check(folder, text, capsys)[0] == 0


def test_everything_wrong_is_said_in_the_files_order(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "model: {use: 'own_things:Dog'}\n"
        "cameras:\n"
        "  a: {source: 'synthetic:', classes: [dgo]}\n"
        "  b: {source: none.mp4, model: none.pt}\n"
        "sinks:\n"
        "  - use: own_things:Siren\n"
    )
    status, _, lines = check(folder, text, capsys)
    assert status == 2
    assert [line.partition(": ")[0] for line in lines] == ["3", "4", "6"]


def test_a_models_name_out_of_the_environment_is_not_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL", "hunter2")
    status, out, lines = check(folder, "model: ${MODEL}\n" + GATE, capsys)
    assert status == 2
    assert "the catalogue has no '***'" in lines[0]
    assert "hunter2" not in out + "".join(lines)


def test_nothing_out_of_the_environment_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMERA", "rtsp://hunter2.example/stream1")
    monkeypatch.setenv("PASSWORD", "hunter2")
    monkeypatch.setenv("PLACE", "hunter2/c.yaml")
    (folder / "hunter2").mkdir()
    (folder / "hunter2" / "c.yaml").touch()
    text = (
        OWN
        + "cameras:\n  a: {source: '${CAMERA}'}\n  b: {source: 'rtsp://u:${PASSWORD}@192.0.2.1/stream1'}\n"
        "  c: {source: '${PLACE}/film.mp4'}\nsinks:\n  - {use: jsonl, path: '${PLACE}/found.jsonl'}\n"
    )
    status, out, lines = check(folder, text, capsys)
    assert status == 0
    assert [line.partition(": warning: ")[0] for line in lines] == ["3", "4", "5", "7"]
    assert "; try that one (" in lines[0]
    assert "; try rtsp://***@192.0.2.1/stream2 (" in lines[1]
    assert "there is no ***/film.mp4; " in lines[2]
    assert ": its place is no folder; " in lines[3]
    assert "hunter2" not in out + "".join(lines)
    _, _, lines = check(folder, OWN + "cameras:\n  a: {source: '${CAMERA}', size: 640x480}\n", capsys)
    assert lines[0].startswith("3: cameras.a: ***: 'size' and 'fps' are asked of USB cameras")


def test_what_a_class_of_ones_own_says_does_not_show_it_either(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    (folder / "own_things.py").write_text(
        "class Dear:\n    def __init__(self, place): raise ValueError(f'no way to {place!r}')\n"
    )
    own = "{use: 'own_things:Dear', place: 'https://192.0.2.9/${TOKEN}'}"
    text = f"model: {own}\ncameras: {{gate: {{source: 'synthetic:'}}}}\nsinks: [{own}]\n"
    status, _, lines = check(folder, text, capsys)
    assert status == 2
    assert lines == [
        "1: model: own_things:Dear: ValueError: no way to 'https://192.0.2.9/***'",
        "3: sinks.0: own_things:Dear: ValueError: no way to 'https://192.0.2.9/***'",
    ]


# Main streams

STREAMS = {
    "/Streaming/Channels/101": "/Streaming/Channels/102",
    "/Streaming/Channels/1601?transportmode=unicast": "/Streaming/Channels/1602?transportmode=unicast",
    "/h264/ch1/main/av_stream": "/h264/ch1/sub/av_stream",
    "/cam/realmonitor?channel=1&subtype=0": "/cam/realmonitor?channel=1&subtype=1",
    "/cam/realmonitor?subtype=0&channel=1": "/cam/realmonitor?subtype=1&channel=1",
    "/cam/realmonitor?channel=1": "/cam/realmonitor?channel=1&subtype=1",
    "/stream1": "/stream2",
    "/h264Preview_01_main": "/h264Preview_01_sub",
    "/Preview_01_main": "/Preview_01_sub",
    "/unicast/c1/s0/live": "/unicast/c1/s1/live",
    "/videoMain": "/videoSub",
    "/axis-media/media.amp": "/axis-media/media.amp?resolution=1280x720",
    "/axis-media/media.amp?camera=2": "/axis-media/media.amp?resolution=1280x720&camera=2",
}


@pytest.mark.parametrize(("main", "sub"), STREAMS.items())
def test_main_streams_are_told_by_their_paths(main: str, sub: str) -> None:
    for host in ("192.0.2.1", "viewer:pa%2Fstream1@cam.example:8554"):
        assert substream(f"rtsp://{host}{main}") == f"rtsp://{host}{sub}"
        assert substream(f"rtsp://{host}{sub}") is None


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://192.0.2.1/", "rtsp://192.0.2.1", "rtsp://stream1/live", "rtsp://192.0.2.1/stream10",
        "rtsp://192.0.2.1/Streaming/Channels/1", "rtsp://192.0.2.1/mainstreet", "http://192.0.2.1/stream1",
        "stream1", "rtsp://127.0.0.1:8554/cam0", "rtsp://192.0.2.1/axis-media/media.amp?resolution=640x480",
        "rtsp://192.0.2.1/axis-media/media.amp?streamprofile=Mobile",
    ],
)  # fmt: skip
def test_other_paths_say_nothing(address: str) -> None:
    assert substream(address) is None


def test_whoever_wants_a_large_picture_may_have_the_main_stream(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHFRAME_CACHE", str(folder / "cache"))  # so that it is not looked for in vain
    text = f"model: {{imgsz: %d}}\ncameras: {{gate: {{source: '{RTSP}/stream1'}}}}\n"
    said = ["main stream" in line for line in check(folder, text % 640, capsys)[2]]
    assert said == [False, True]
    assert "the network sees 640 pixels of it" in check(folder, text % 640, capsys)[2][1]
    assert ["main stream" in line for line in check(folder, text % 1280, capsys)[2]] == [False]
