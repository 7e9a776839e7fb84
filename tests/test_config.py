"""Configuration files: what is right comes out frozen, what is wrong is said at once, secrets stay secret."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, unquote, urlsplit

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from streamer.cli.check import add_parser
from streamer.config import CameraConfig, Config, DetectorConfig, ModelConfig, load, read
from streamer.config.document import MAX_DEPTH
from streamer.config.environment import fill_in
from streamer.config.load import MAX_BYTES
from streamer.config.sink import CurveConfig, ZmqConfig
from streamer.errors import ConfigError
from streamer.looking import Looking, Region
from streamer.sources.address import parse_address

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
CAMERA = "cameras: {gate: {source: 'rtsp://192.0.2.1/s'}}\n"
PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"  # the keys of RFC 26's examples
SECRET = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "c.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, content))
    return str(caught.value)


def check(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["check", *arguments])
    status: int = args.run(args)
    return status


# What is right


def test_the_smallest_configuration(folder: Path) -> None:
    config = load(written(folder, CAMERA))
    assert config.model == ModelConfig(name="yolo26n", imgsz=640, conf=0.25)
    assert config.cameras == {"gate": CameraConfig(source="rtsp://192.0.2.1/s", transport="tcp")}
    assert config.sinks == ()


def test_the_whole_interface(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "hunter2")
    config = load(
        written(
            folder,
            f"""
            model: {{name: yolo26n, imgsz: 640, conf: 0.25, classes: [person, car], device: cuda:1}}
            cameras:
              gate:
                source: rtsp://user:${{GATE_PASSWORD}}@192.0.2.10/stream2
                transport: udp
              yard: {{source: usb:0, model: {{name: best.pt, imgsz: 320, trust_weights: true}}, max_fps: 10}}
              film: {{source: clips/film.mp4, live: true, detect_fps: 2.5, detect: on_motion}}
              hostile: {{source: "rtsp://192.0.2.66/", isolation: process}}
              shown: {{source: clips/film.mp4, live: true, isolation: process}}
              own:
                source: synthetic:?count=3
                model: {{use: "mypackage.detectors:Mine", threshold: 0.5}}
            sinks:
              - use: zmq
                endpoint: tcp://0.0.0.0:5555
                encoding: msgpack
                curve: {{secret_key: {SECRET!r}, clients: [{PUBLIC!r}]}}
              - use: jsonl
                path: detections.jsonl
                required: true
              - use: video
                path: /srv/{{camera}}.mp4
              - use: window
              - use: mypackage.sinks:Siren
                volume: 11
                quiet: null
            """,
        )
    )
    assert isinstance(config.model, ModelConfig)
    assert config.model.classes == ("person", "car")
    assert config.cameras["gate"].source == "rtsp://user:hunter2@192.0.2.10/stream2"
    assert config.cameras["gate"].transport == "udp"
    assert [config.cameras[name].isolation for name in ("gate", "hostile", "shown")] == [
        "thread",
        "process",
        "process",
    ]
    assert config.cameras["yard"].max_fps == 10
    assert config.cameras["yard"].model == ModelConfig(
        name=str(folder / "best.pt"), imgsz=320, trust_weights=True
    )
    assert config.cameras["film"].source == str(folder / "clips/film.mp4")
    assert config.cameras["film"].live is True
    assert (config.cameras["film"].detect_fps, config.cameras["film"].detect) == (2.5, "on_motion")
    assert (config.cameras["gate"].detect_fps, config.cameras["gate"].detect) == (None, "always")
    mine = config.cameras["own"].model
    assert isinstance(mine, DetectorConfig)
    assert (mine.use, mine.arguments()) == ("mypackage.detectors:Mine", {"threshold": 0.5})
    zmq, jsonl, video, window, siren = config.sinks
    assert zmq.arguments() == {
        "endpoint": "tcp://0.0.0.0:5555",
        "encoding": "msgpack",
        "curve": {"secret_key": SECRET, "clients": (PUBLIC,)},
        "insecure": False,
    }
    assert jsonl.required
    assert jsonl.arguments() == {"path": str(folder / "detections.jsonl")}
    assert video.arguments() == {"path": "/srv/{camera}.mp4"}
    assert window.arguments() == {"mode": "predicted"}
    assert siren.arguments() == {"volume": 11, "quiet": None}


def test_a_configuration_is_frozen(folder: Path) -> None:
    config = load(written(folder, CAMERA))
    with pytest.raises(ValidationError):
        config.cameras["gate"].source = "usb:1"


def test_names_are_taken_as_they_are_written(folder: Path) -> None:
    config = load(written(folder, "cameras: {007: {source: 'usb:0'}, no: {source: 'usb:1'}}"))
    assert list(config.cameras) == ["007", "no"]


def test_anchors_may_be_used(folder: Path) -> None:
    text = "model: &small {imgsz: 320}\ncameras: {a: {source: 'usb:0', model: *small}}"
    assert load(written(folder, text)).cameras["a"].model == ModelConfig(imgsz=320)


@pytest.mark.parametrize("source", ["clips/", "clips/*.png", "a.mp4", "/srv/a.mp4"])
def test_files_count_from_the_configurations_folder(folder: Path, source: str) -> None:
    config = load(written(folder, f"cameras: {{a: {{source: '{source}'}}}}"))
    again = parse_address(config.cameras["a"].source)
    assert again.text == str(folder / source)
    assert again.kind == parse_address(source, folder).kind


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://127.0.0.1:5555", "tcp://localhost:1", "tcp://[::1]:5555", "tcp://127.9.9.9:*", "ipc:///tmp/x"],
)
def test_endpoints_on_this_machine_need_no_keys(folder: Path, endpoint: str) -> None:
    load(written(folder, f"{CAMERA}sinks: [{{use: zmq, endpoint: '{endpoint}'}}]"))


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://eth0:5555", "tcp://[::]:5555", "tcp://192.0.2.1:1"],
)
def test_an_endpoint_that_others_reach_needs_keys(folder: Path, endpoint: str) -> None:
    sink = f"use: zmq, endpoint: '{endpoint}'"
    assert "insecure: true" in refusal(folder, f"{CAMERA}sinks: [{{{sink}}}]")
    load(written(folder, f"{CAMERA}sinks: [{{{sink}, insecure: true}}]"))


def looking(folder: Path, text: str) -> Looking:
    config = load(written(folder, text))
    camera = config.cameras["a"]
    return camera.looking(camera.model or config.model)


@pytest.mark.parametrize(
    ("model", "camera", "expected"),
    [
        ("yolo26n", "", Looking(None, 0.25)),
        ("{conf: 0.4, classes: [person, car]}", "", Looking(("person", "car"), 0.4)),
        ("{conf: {person: 0.6}}", "", Looking(None, 0.25, {"person": 0.6})),
        ("{conf: {default: 0.1, person: 0.6}}", "", Looking(None, 0.1, {"person": 0.6})),
        # A camera's conf goes before its model's: a number instead of it, a mapping laid over it.
        ("{conf: {default: 0.1, person: 0.6}}", "conf: 0.5", Looking(None, 0.5)),
        ("{conf: 0.4}", "conf: {person: 0.6}", Looking(None, 0.4, {"person": 0.6})),
        (
            "{conf: {default: 0.1, person: 0.6}}",
            "conf: {default: 0.2, car: 0.3}",
            Looking(None, 0.2, {"person": 0.6, "car": 0.3}),
        ),
        ("{classes: [person]}", "classes: [car, dog]", Looking(("car", "dog"), 0.25)),
        ("{conf: {person: 0.6}}", "classes: [car]", Looking(("car",), 0.25)),
        ("{classes: [dog]}", "model: {conf: 0.7}", Looking(None, 0.7)),  # a camera's model is a whole one
        # What a detector of one's own takes is its own affair; a camera's keys are ours.
        ("{use: 'm:C', conf: 0.9, classes: [a]}", "", Looking()),
        ("{use: 'm:C', conf: 0.9}", "classes: [b], conf: {b: 0.5}", Looking(("b",), None, {"b": 0.5})),
    ],
)
def test_what_is_wanted_of_a_camera(folder: Path, model: str, camera: str, expected: Looking) -> None:
    text = f"model: {model}\ncameras: {{a: {{source: 'synthetic:', {camera}}}}}"
    assert looking(folder, text) == expected


def test_a_region_is_a_polygon_or_several(folder: Path) -> None:
    points = ((0.1, 0.2), (0.9, 0.2), (0.5, 1.0))
    text = "cameras: {a: {source: 'usb:0', region: %s, look_at: region}}"
    one = looking(folder, text % "[[0.1, 0.2], [0.9, 0.2], [0.5, 1]]")
    assert one == Looking(None, 0.25, region=Region([points]), look_at="region")
    two = looking(folder, text % "[[[0.1, 0.2], [0.9, 0.2], [0.5, 1]], [[0, 0], [0.1, 0], [0, 0.1]]]")
    assert two.region == Region([points, ((0.0, 0.0), (0.1, 0.0), (0.0, 0.1))])


# What is wrong

WRONG = {
    "broken YAML": ("cameras: {gate: [\n", "c.yaml:2:1: not YAML"),
    "a value that wants quotes": (
        "cameras:\n  gate: {source: rtsp://u:${S}@h/, live: true}\n",
        "c.yaml:2:28: not YAML: expected ',' or '}', but got '{' (between { and } a text with ${NAME} in it "
        "wants quotes: '…${NAME}…')",
    ),
    "a tab": ("cameras:\n\tgate: 1\n", "c.yaml:2:1: not YAML"),
    "an unknown anchor": ("model: *hunter2\n", "c.yaml:1:8: not YAML: found undefined alias"),
    "an escape that is no character": ('model: "\\UFFFFFFFF"', "not YAML: an escape"),
    "half a character": ('model: "\\ud800"', "1: model: the text holds a character"),
    "a NUL": (CAMERA + 'sinks: [{use: jsonl, path: "a\\0b"}]', "sinks.0.path: the text holds"),
    "two documents": ("a: 1\n---\nb: 2\n", "c.yaml:2:1: not YAML"),
    "a tag of one's own": (
        "model: !!python/object:os.system x\n",
        "c.yaml:1: model: a date or a tagged value",
    ),
    "a date": (CAMERA + "sinks: [{use: 'a:B', day: 2024-13-45}]", "sinks.0.day: a date or a tagged value"),
    "a number that is none": ("model: {conf: !!float x}", "model.conf: cannot be read as a number"),
    "a huge number": (f"model: {{imgsz: 0x{'f' * 9000}}}", "model.imgsz: the number is too large"),
    "a key that is a list": ("[a]: 1\n" + CAMERA, "c.yaml:1: a key must be plain text"),
    "empty": ("", "c.yaml: empty; allowed: a mapping"),
    "comments only": ("# nothing\n", "c.yaml: empty"),
    "only a text": (
        "rtsp://user:hunter2@h/",
        "c.yaml:1: found 'rtsp://***@h/'; allowed: a mapping with model",
    ),
    "a list at the top": ("- a\n", "c.yaml:1: found a list; allowed: a mapping with model, cameras, sinks"),
    "a list of cameras": ("cameras: [a]", "1: cameras: found a list; allowed: a mapping"),
    "a text as a camera": (
        "cameras: {a: 'usb:0'}",
        "cameras.a: found 'usb:0'; allowed: a mapping with source",
    ),
    "a mapping of sinks": (CAMERA + "sinks: {use: window}", "2: sinks: found a mapping; allowed: a list"),
    "a text as a sink": (CAMERA + "sinks: [zmq]", "sinks.0: found 'zmq'; allowed: a mapping with use"),
    "nothing as sinks": (CAMERA + "sinks:", "sinks: found nothing; allowed: a list"),
    "no cameras": ("model: yolo26n", "cameras: missing"),
    "cameras without any": ("cameras: {}", "cameras: found an empty mapping; allowed: at least one"),
    "cameras that are nothing": ("cameras:", "cameras: found nothing; allowed: a mapping"),
    "no source": ("cameras: {gate: {}}", "cameras.gate.source: missing"),
    "an unknown key": (
        "camera: {}\n" + CAMERA,
        "1: camera: unknown key; allowed: model, cameras, sinks; did you mean cameras?",
    ),
    "an unknown key below": (
        "cameras:\n  gate:\n    source: usb:0\n    trasport: tcp",
        "c.yaml:4: cameras.gate.trasport: unknown key; allowed: source, transport, ",
    ),
    "the nearest key": (
        "cameras:\n  gate:\n    source: usb:0\n    trasport: tcp",
        "; did you mean transport?",
    ),
    "an unknown key of a model": ("model: {clases: [a]}\n" + CAMERA, "did you mean classes?"),
    "an unknown key of a camera's model": (
        "cameras: {a: {source: 'usb:0', model: {image_size: 3}}}",
        "cameras.a.model.image_size: unknown key; allowed: name, imgsz",
    ),
    "an unknown key of a sink": (
        CAMERA + "sinks: [{use: zmq, endpont: 'ipc://x'}]",
        "sinks.0.endpont: unknown key; allowed: use, required, endpoint, encoding, curve, insecure; "
        "did you mean endpoint?",
    ),
    "a text for a number": (
        "model: {imgsz: '640'}\n" + CAMERA,
        "model.imgsz: found '640'; allowed: a whole number",
    ),
    "a number for a text": (
        "cameras: {a: {source: 5}}",
        "cameras.a.source: found 5 (a number); allowed: text",
    ),
    "a text for a truth": (CAMERA + "sinks: [{use: window, required: 'yes'}]", "allowed: true or false"),
    "a truth for a number": (
        "cameras: {a: {source: 'usb:0', max_fps: yes}}",
        "found true; allowed: a number",
    ),
    "a text for a list": ("model: {classes: person}\n" + CAMERA, "found 'person'; allowed: a list"),
    "no classes": ("model: {classes: []}\n" + CAMERA, "classes: found an empty list; allowed: at least one"),
    "not a number": ("model: {conf: .nan}\n" + CAMERA, "model.conf: found nan"),
    "too sure": ("model: {conf: 25}\n" + CAMERA, "model.conf: found 25 (a number); allowed: 1.0 or less"),
    "too sure of a class": (
        "model: {conf: {person: 25}}\n" + CAMERA,
        "model.conf.person: found 25 (a number); allowed: 1.0 or less",
    ),
    "a text as a score": (
        "model: {conf: '0.5'}\n" + CAMERA,
        "model.conf: found '0.5'; allowed: a number",
    ),
    "a text as a class's score": (
        "cameras: {a: {source: 'usb:0', conf: {person: high}}}",
        "cameras.a.conf.person: found 'high'; allowed: a number",
    ),
    "no scores": (
        "model: {conf: {}}\n" + CAMERA,
        "model.conf: found an empty mapping; allowed: at least one",
    ),
    "a list of scores": ("model: {conf: [0.5]}\n" + CAMERA, "model.conf: found a list; allowed: a number"),
    "a score of a class that is left out": (
        "model: {classes: [person], conf: {car: 0.5, default: 0.3}}\n" + CAMERA,
        "1: model: conf names car, which its classes leave out",
    ),
    "a camera's score of a class that it leaves out": (
        "cameras: {a: {source: 'usb:0', classes: [dog], conf: {car: 0.5, dog: 0.5}}}",
        "cameras.a: conf names car, which its classes leave out",
    ),
    "a camera's score of a class that its model leaves out": (
        "model: {classes: [dog]}\ncameras:\n  b: {source: 'usb:1'}\n  a: {source: 'usb:0', conf: {car: 0.5}}",
        "4: cameras.a: conf names car, which its classes leave out",
    ),
    "a region that is none": (
        "cameras: {gate: {source: 'usb:0', region: [[0, 0], [1, 1]]}}",
        "1: cameras.gate.region: a polygon of 2 points; allowed: 3 to 100",
    ),
    "a region in pixels": (
        "cameras: {gate: {source: 'usb:0', region: [[0, 0], [640, 0], [640, 480]]}}",
        "cameras.gate.region: the point (640, 0) is outside of the picture; allowed: x and y from 0 (left, "
        "top) to 1 (right, bottom); pixels are not taken",
    ),
    "a region that crosses itself": (
        "cameras:\n  gate:\n    source: usb:0\n    region: [[0.1, 0.2], [0.9, 0.8], [0.9, 0.2], [0.1, 0.8]]",
        "c.yaml:4: cameras.gate.region: the polygon crosses itself: its edge from (0.1, 0.2) to (0.9, 0.8) "
        "crosses the one from (0.9, 0.2) to (0.1, 0.8); give the points in order round the area",
    ),
    "the second region": (
        "cameras: {a: {source: 'usb:0', region: [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 0]]]}}",
        "cameras.a.region.1: a polygon of 2 points",
    ),
    "no regions": (
        "cameras: {a: {source: 'usb:0', region: []}}",
        "cameras.a.region: a polygon of 0 points; allowed: 3 to 100",
    ),
    "a point of three": (
        "cameras: {a: {source: 'usb:0', region: [[0, 0], [1, 0, 0], [1, 1]]}}",
        "cameras.a.region.1: found a list; allowed: a point: [x, y]",
    ),
    "a point of texts": (
        "cameras: {a: {source: 'usb:0', region: [[0, 0], ['1', 0], [1, 1]]}}",
        "cameras.a.region.1.0: found '1'; allowed: a number",
    ),
    "a region as a text": (
        "cameras: {a: {source: 'usb:0', region: '0,0,1,1'}}",
        "cameras.a.region: found '0,0,1,1'; allowed: a list",
    ),
    "a region that is not there": (
        "cameras: {a: {source: 'usb:0', look_at: region}}",
        "cameras.a: look_at: region needs a region: a list of points [x, y]",
    ),
    "no stride": ("model: {imgsz: 333}\n" + CAMERA, "allowed: a multiple of 32"),
    "a rate of nothing": ("cameras: {a: {source: 'usb:0', max_fps: 0}}", "allowed: more than 0"),
    "a rate of the detector of nothing": (
        "cameras: {a: {source: 'usb:0', detect_fps: -1}}",
        "cameras.a.detect_fps: found -1 (a number); allowed: more than 0",
    ),
    "a rate that is never reached": (
        "cameras: {a: {source: 'usb:0', max_fps: 5, detect_fps: 10}}",
        "cameras.a: detect_fps is 10, and max_fps leaves only 5; allowed: 5 or less",
    ),
    "when to detect": (
        "cameras: {a: {source: 'usb:0', detect: motion}}",
        "cameras.a.detect: found 'motion'; allowed: always or on_motion; did you mean on_motion?",
    ),
    "when to detect as a truth": (
        "cameras: {a: {source: 'usb:0', detect: on}}",
        "cameras.a.detect: found true; allowed: always or on_motion",
    ),
    "a device": ("model: {device: gpu}\n" + CAMERA, "found 'gpu'; allowed: auto, cpu or cuda:N"),
    "an engine": (
        "model: {engine: tensorrt}\n" + CAMERA,
        "found 'tensorrt'; allowed: auto, onnx, torch, openvino or openvino-int8",
    ),
    "a detector's class": ("model: {use: mine}\n" + CAMERA, "model.use: found 'mine'; allowed: module:Class"),
    "a transport": ("cameras: {a: {source: 'usb:0', transport: http}}", "found 'http'; allowed: tcp or udp"),
    "an isolation": (
        "cameras: {a: {source: 'usb:0', isolation: container}}",
        "cameras.a.isolation: found 'container'; allowed: thread or process",
    ),
    "a recording in a process of its own": (
        "cameras: {a: {source: film.mp4, isolation: process}}",
        "cameras.a: isolation: process drops what comes too late, and of a recording every frame is wanted; "
        "add live: true, or leave isolation out",
    ),
    "a camera of which every frame is wanted": (
        "cameras: {a: {source: 'rtsp://192.0.2.1/s', isolation: process, live: false}}",
        "cameras.a: isolation: process drops what comes too late",
    ),
    "a camera twice": (
        "cameras:\n  gate: {source: 'usb:0'}\n  gate: {source: 'usb:1'}\n",
        "c.yaml:3: cameras.gate: the key stands there twice, first on line 2",
    ),
    "a camera twice in quotes": (
        "cameras: {gate: {source: 'usb:0'}, 'gate': {}}",
        "gate: the key stands there twice",
    ),
    "a bad name": ("cameras: {front door: {source: 'usb:0'}}", "'front door'; allowed: 1 to 64 of A-Z, a-z"),
    "a long name": (f"cameras: {{{'a' * 65}: {{source: 'usb:0'}}}}", "allowed: 1 to 64"),
    "an empty name": ("cameras: {'': {source: 'usb:0'}}", "allowed: 1 to 64"),
    "a scheme": (
        "cameras: {a: {source: 'file:///etc/passwd'}}",
        "cameras.a.source: file:///etc/passwd: file: is",
    ),
    "a sink that is not there": (
        CAMERA + "sinks: [{use: jsonll, path: a}]",
        "sinks.0.use: found 'jsonll'; allowed: zmq, jsonl, video, window, or module:Class",
    ),
    "the nearest sink": (CAMERA + "sinks: [{use: jsonll}]", "did you mean jsonl?"),
    "a sink's class": (CAMERA + "sinks: [{use: 'my sinks:Siren'}]", "or module:Class such as"),
    "a sink without use": (CAMERA + "sinks: [{path: a}]", "sinks.0.use: missing"),
    "an endpoint": (
        CAMERA + "sinks: [{use: zmq, endpoint: 'udp://h:1'}]",
        "allowed: tcp://HOST:PORT or ipc://",
    ),
    "a port": (CAMERA + "sinks: [{use: zmq, endpoint: 'tcp://127.0.0.1:65536'}]", "allowed: tcp://HOST:PORT"),
    "stdout": (
        CAMERA + "sinks: [{use: jsonl, path: '-'}]",
        "sinks.0.path: found '-'; allowed: a file's path",
    ),
    "a file twice": (
        CAMERA + "sinks:\n  - {use: jsonl, path: a}\n  - {use: jsonl, path: a}",
        "4: sinks.1.path: another sink writes to the same file; give each its own",
    ),
    "a camera's film twice": (
        "cameras: {gate: {source: 'usb:0'}}\nsinks:\n"
        "  - {use: video, path: '{camera}.mp4'}\n  - {use: video, path: gate.mp4}",
        "4: sinks.1.path: another sink writes to the same file; give each its own",
    ),
    "one video for two cameras": (
        "cameras: {a: {source: 'usb:0'}, b: {source: 'usb:1'}}\nsinks: [{use: video, path: a.mp4}]",
        "2: sinks.0.path: it needs {camera} in it where there are several cameras",
    ),
    "half a variable": ("cameras: {a: {source: '${X'}}", "cameras.a.source: a ${ that is not ${NAME}"),
    "an alias in itself": ("cameras: &a {b: *a}", "too many values"),
    "deep lists": ("[" * 5000, f"nested more than {MAX_DEPTH} deep"),
    "an alias bomb": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"{y}: &{y} [{','.join(['*' + x] * 10)}]\n" for x, y in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "too many values",
    ),
    "too much": ("#" * (MAX_BYTES + 1), f"too large; allowed: {MAX_BYTES // 1024} KiB"),
    "binary": (bytes(range(256)), "not UTF-8"),
    "binary that is UTF-8": (b"a: b\nc: \0\1\2", "c.yaml:2:4: not YAML: a character"),
    "Latin-1": ("a: 1\nmodel: K\xfcche".encode("latin-1"), "c.yaml:2: not UTF-8"),
    "UTF-16": (CAMERA.encode("utf-16"), "not UTF-8"),
}


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said(folder: Path, content: str | bytes, said: str) -> None:
    text = refusal(folder, content)
    assert said in text
    assert all(line.startswith(str(folder / "c.yaml")) for line in text.splitlines())
    assert "hunter2" not in text


def test_a_missing_file_and_a_folder(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load(folder / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(folder)
    with pytest.raises(ConfigError, match="no file can be called that"):
        load("a\0b")


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    load(written(folder, CAMERA.encode("utf-8-sig")))


def test_everything_is_said_at_once_in_order(folder: Path) -> None:
    text = refusal(
        folder, "modle: x\ncameras:\n  a: {source: 'usb:x'}\n  a: {}\n  b: {source: '${NOT_SET}'}\nsinks: 5"
    )
    assert [line.split(":")[1] for line in text.splitlines()] == ["1", "3", "4", "5", "6"]


# Secrets


def test_variables_and_dollars(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "x: [${B} $$")
    arguments = "t: 'is ${A}', d: '$${A}', e: 'a$b $$$${A}', f: ['${A}']"
    model = load(written(folder, f"model: {{use: 'm:C', {arguments}}}\n{CAMERA}")).model
    assert isinstance(model, DetectorConfig)
    assert model.arguments() == {"t": "is x: [${B} $$", "d": "${A}", "e": "a$b $${A}", "f": ["x: [${B} $$"]}


def test_a_missing_variable_names_key_and_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATE_PASSWORD", raising=False)
    text = refusal(folder, "cameras: {gate: {source: 'rtsp://u:${GATE_PASSWORD}@h/'}}")
    assert text.endswith("c.yaml:1: cameras.gate.source: the environment variable GATE_PASSWORD is not set")


PLACES = [
    "cameras: {a: {source: '${S}://h/'}}",
    "cameras: {a: {source: 'rtsp://h:${S}/'}}",
    "cameras: {a: {source: 'rtsp:/u:${S}@h/'}}",
    "cameras: {a: {source: 'rtsp://u:${S}/@h/'}}",
    "cameras: {a: {source: '${S}:/h/'}}",
    "cameras: {a: {source: 'usb:0', transport: '${S}'}}",
    "cameras: {a: {source: 'usb:0', max_fps: '${S}'}}",
    "cameras: {a: {source: 'usb:0', model: {device: '${S}'}}}",
    "cameras: {a: {source: 'usb:0', model: {use: '${S}'}}}",
    "cameras: {a: {source: 'usb:0', region: [['${S}', 0], [1, 0], [1, 1]]}}",
    "cameras: {a: {source: 'usb:0', region: [[[0, 0], [1, '${S}'], [1, 1]]]}}",
    "cameras: {a: {source: 'usb:0', conf: {person: '${S}'}, classes: ['${S}']}}",
    "cameras: {a: {source: 'usb:0', conf: '${S}'}}",
    "model: {conf: {car: '${S}'}}\ncameras: {a: {source: 'usb:0', look_at: '${S}'}}",
    CAMERA + "sinks: [{use: '${S}'}]",
    CAMERA + "sinks: [{use: zmq, endpoint: '${S}'}]",
    CAMERA + "sinks: [{use: zmq, endpoint: 'tcp://${S}:1'}]",
    CAMERA + "sinks: [{use: zmq, endpoint: 'ipc://a', curve: {secret_key: '${S}', clients: ['${S}']}}]",
    CAMERA + "sinks: [{use: '${S}:Siren'}]",
    CAMERA + "sinks: '${S}'",
    "model: '${S}'\ncameras: '${S}'",
    "'${S}'",
    "cameras: {a: {source: 'user:ter2@${S}'}}",
    "cameras: {a: {source: 'http:ter2@${S}'}}",
    "cameras: {a: {source: 'usb:0', transport: 'rtsp://u:ter2@${S}'}}",
    CAMERA + "sinks: [{use: 'a:B', password: 'ter2${S}', tokens: ['ter2${S}', ter2]}]",
    CAMERA + "sinks: [{use: zmq, endpoint: 'tcp://u:ter2@${S}'}]",
]


@pytest.mark.parametrize("text", PLACES)
@pytest.mark.parametrize("value", ["hunter2", "hun/ter2", "tcp://hunter2@h:1", "file:hunter2"])
def test_the_environment_is_never_shown(
    folder: Path, text: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("S", value)
    path = written(folder, text)
    try:
        loaded = read(path)
    except ConfigError as error:
        said = str(error) + repr(error)
    else:
        said = repr(loaded) + str(loaded.config) + repr(loaded.config.cameras) + json.dumps(loaded.shown())
    assert "ter2" not in said


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://user:hunter2@h:99999/",
        "rtsp:/user:hunter2@h/",
        "rtsp://user:hun/hunter2@h/",
        "rtsp://user:hunter2 @h/",
        "rstp://user:hunter2@h/",
        "user:hunter2@192.0.2.1/stream",
        "ftp://h/?password=hunter2",
    ],
)
@pytest.mark.parametrize(
    "text", ["cameras: {{a: {{source: {0!r}}}}}", "cameras: {{{0!r}: {{}}}}", "{0!r}", "{0!r}: 1"]
)
def test_a_password_in_the_file_is_never_shown(folder: Path, source: str, text: str) -> None:
    assert "hunter2" not in refusal(folder, text.format(source))


def password_meant(source: str, value: str) -> str:
    """The password that a camera is told where the variable S holds this."""
    filled = fill_in(source, {"S": value})
    assert filled.problems == []
    return unquote(urlsplit(filled.tree).password or "")


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_a_password_in_the_environment_stands_there_as_it_is_or_percent_encoded(password: str) -> None:
    """As it is wherever it does not look encoded already; encoded it always comes to the same."""
    source = "rtsp://u:${S}@h:554/a@b"
    assert password_meant(source, quote(password, safe="")) == password
    if "%" not in password:
        assert password_meant(source, password) == password


@pytest.mark.parametrize(
    ("value", "password"),
    [
        ("p@ss", "p@ss"),
        ('a b:/?#[]"', 'a b:/?#[]"'),
        ("50%", "50%"),
        ("50%41@", "50%41@"),  # it cannot be an encoded one
        ("50%41", "50A"),  # and this can
        ("p%40ss", "p@ss"),
        ("größe", "größe"),
    ],
)
def test_what_a_value_in_the_user_part_comes_to(value: str, password: str) -> None:
    assert password_meant("rtsp://u:${S}@h/", value) == password
    assert password_meant("rtsp://${S}@h/", f"u:{value}") == password


def test_only_a_value_in_the_user_part_is_encoded() -> None:
    for source in ("rtsp://h/${S}/@2", "${S}@h", "rtsp://h/a?b=${S}@c", "rtsp://u@${S}/", "rtsp://${S}h/"):
        assert fill_in(source, {"S": "a/b@"}).tree == source.replace("${S}", "a/b@")


def test_a_password_is_hidden_in_both_ways_of_writing_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S", "hunter/2")
    loaded = read(written(folder, "cameras: {gate: {source: 'rtsp://u:${S}@h/'}}"))
    assert loaded.config.cameras["gate"].source == "rtsp://u:hunter%2F2@h/"
    assert loaded.told("hunter/2, hunter%2F2") == "***, ***"


@pytest.mark.parametrize("source", ["${S}", "rtsp://h/${S}"])
def test_a_value_that_makes_no_address_is_explained(
    folder: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S", "rtsp://u:a b@h/")
    text = refusal(folder, f"cameras: {{gate: {{source: '{source}'}}}}")
    assert "must be percent-encoded (@ %40, / %2F, a space %20)" in text


# The command


def test_check_prints_what_it_comes_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "hunter2")
    monkeypatch.setenv("MODEL", "yolo26n")
    path = written(
        folder,
        f"""
        model: ${{MODEL}}
        cameras:
          keypad: {{source: 'rtsp://user:${{GATE_PASSWORD}}@192.0.2.10/stream2'}}
          b: {{source: 'rtsp://user:hunter3@192.0.2.11/stream2?token=hunter4&channel=1'}}
        sinks:
          - {{use: zmq, endpoint: 'tcp://*:1', curve: {{secret_key: {SECRET!r}, clients: [{PUBLIC!r}]}}}}
          - {{use: video, path: 'out/{{camera}}.mp4'}}
        """,
    )
    assert check(str(path)) == 0
    out, err = capsys.readouterr()
    assert not [secret for secret in ("hunter", "yolo26n", SECRET, PUBLIC) if secret in out]
    assert not [secret for secret in ("hunter", SECRET, PUBLIC) if secret in err]
    tree = yaml.safe_load(out)
    assert tree["model"]["name"] == "${MODEL}"
    assert tree["model"]["imgsz"] == 640
    assert tree["cameras"]["keypad"] == {
        "source": "rtsp://user:${GATE_PASSWORD}@192.0.2.10/stream2",
        "transport": "tcp",
        "isolation": "thread",
        "detect": "always",
        "decode": "all",
    }
    assert tree["cameras"]["b"]["source"] == "rtsp://***@192.0.2.11/stream2?token=***&channel=1"
    assert tree["sinks"][0]["curve"] == {"secret_key": "***", "clients": ["***"]}
    assert tree["sinks"][1]["path"] == str(folder / "out/{camera}.mp4")


def test_a_place_out_of_the_environment_is_shown_as_a_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", "out")
    sinks = "sinks: [{use: jsonl, path: '${X}/a.jsonl'}, {use: jsonl, path: '/${X}/a.jsonl'}]\n"
    shown = read(written(folder, CAMERA + sinks)).shown()
    assert [sink["path"] for sink in shown["sinks"]] == [f"{folder}/${{X}}/a.jsonl", "/${X}/a.jsonl"]


def test_what_check_prints_is_the_same_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(folder, (CONFIGS / "demo.yaml").read_text())
    config = load(path)
    assert check(str(path)) == 0
    assert load(written(folder, capsys.readouterr().out)) == config


def test_a_class_is_no_secret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Although keyboards have a key in them."""
    camera = "conf: {keyboard: 0.6, default: 0.1}, region: [[0, 0], [1, 0], [1, 1]], look_at: region"
    path = written(
        folder, f"model: {{conf: {{keyboard: 0.5}}}}\ncameras: {{a: {{source: 'synthetic:', {camera}}}}}"
    )
    config = load(path)
    assert check(str(path)) == 0
    assert load(written(folder, capsys.readouterr().out)) == config


def test_check_says_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(str(written(folder, "cameras: {gate: {sorce: 'usb:0'}}"))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "did you mean source?" in err
    assert check(str(folder / "none.yaml")) == 2


def test_check_makes_classes_of_ones_own(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])  # `check` adds the configuration's folder
    (folder / "house_sinks.py").write_text(
        "class Siren:\n    takes = object\n    def __init__(self, volume): ...\n"
        "    def __enter__(self): return self\n    def __exit__(self, *exc): ...\n"
        "    def write(self, item): ...\n"
    )
    sinks = "sinks:\n  - {use: 'house_sinks:Siren', volume: 3}\n"
    assert check(str(written(folder, CAMERA + sinks))) == 0
    capsys.readouterr()
    sinks += "  - {use: 'house_sinks:Siren', loud: 3}\n  - {use: 'house_sinks:Bell'}\n"
    sinks += "  - {use: 'no_such_house:Bell'}\n"
    assert check(str(written(folder, CAMERA + sinks))) == 2
    said = capsys.readouterr().err
    assert [f"sinks.{i}" in said for i in range(4)] == [False, True, True, True]
    assert "volume" in said


def test_the_schema_describes_the_interface(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--schema") == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == {"model", "cameras", "sinks"}
    assert schema["properties"]["model"]["anyOf"][0] == {"type": "string"}
    assert schema["additionalProperties"] is False
    assert schema["properties"]["cameras"]["additionalProperties"] is False


@pytest.mark.parametrize("arguments", [[], ["a.yaml", "--schema"]])
def test_check_wants_one_of_both(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        check(*arguments)
    assert caught.value.code == 2


# What is shipped


def test_shipped_configurations_load(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATE_PASSWORD", "YARD_PASSWORD"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("DOOR_URL", "rtsp://viewer:hunter2@192.0.2.12/live")
    shipped = sorted(CONFIGS.glob("*.yaml"))
    assert {"demo.yaml", "security-cameras.yaml"} <= {path.name for path in shipped}
    for path in shipped:
        assert isinstance(load(path), Config)


def test_the_demo_is_what_the_demo_plays() -> None:
    config = load(CONFIGS / "demo.yaml")
    assert [camera.source for camera in config.cameras.values()] == [
        "rtsp://127.0.0.1:8554/cam0",
        "rtsp://127.0.0.1:8554/cam1",
    ]
    assert [sink.use for sink in config.sinks] == ["zmq", "video", "jsonl"]


def test_importing_streamer_needs_no_pydantic() -> None:
    code = "import sys, streamer; sys.exit('pydantic' in sys.modules or 'yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# What is shown is the same configuration

OWN_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.sampled_from(["$", "$$${X}", "é: #", "", "007"]),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from("abc"), below, max_size=2),
    max_leaves=5,
)
CLASSES = st.lists(st.sampled_from(["person", "traffic light", "no", "$${X}"]), min_size=1, unique=True)
CONFS = st.sampled_from([0.3, 1, {"default": 0.2}, {"person": 0.5}])
MODELS = (
    st.sampled_from(["yolo26n", "${X}", "best.pt", "./models/$$a.onnx"])
    | st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["m/${X}.pt", "yolo26n"]),
            "imgsz": st.sampled_from([320, 640]),
            "trust_weights": st.booleans(),
            "device": st.sampled_from(["cpu", "auto"]),
        },
    )
    | st.fixed_dictionaries({"use": st.just("a:B")}, optional={"x": OWN_VALUES, "token": st.just("${X}")})
)
TRIANGLE = [[0, 0], [1, 0], [1, 1]]
SOURCES = st.sampled_from(
    [
        *("usb:0", "synthetic:?fps=5", "a/b.mp4", "${X}.mp4", "./$$x/${X}/", "/a${X}/*.png", "a$$${X}.mkv"),
        *("rtsp://h/${X}", "rtsps://u:${X}@h/$$?a=b&token=${X}", "http://${X}:${X}@h/"),
    ]
)
SHOWN_CAMERAS = st.fixed_dictionaries(
    {"source": SOURCES},
    optional={
        "transport": st.sampled_from(["tcp", "udp"]),
        "isolation": st.just("thread"),
        "model": st.none() | MODELS,
        "classes": st.none() | CLASSES,
        "region": st.none() | st.just(TRIANGLE) | st.just([TRIANGLE]),
        "max_fps": st.none() | st.sampled_from([5, 7.5]),
        "detect": st.sampled_from(["always", "on_motion"]),
        "live": st.none() | st.booleans(),
        "from": st.none() | st.sampled_from([3, "1:30", "${T}"]),
        "decode": st.sampled_from(["all", "key"]),
        "size": st.none() | st.just("640x480"),
    },
)
SHOWN_SINKS = st.one_of(
    st.fixed_dictionaries(
        {"use": st.just("zmq"), "endpoint": st.sampled_from(["tcp://*:1", "ipc://${X}"])},
        optional={
            "insecure": st.just(True),
            "curve": st.just({"secret_key": "${KEY}", "clients": ["${KEY}"]}),
            "required": st.booleans(),
        },
    ),
    st.fixed_dictionaries({"use": st.just("window")}, optional={"snapshots": st.none() | st.just("${X}/a")}),
    st.fixed_dictionaries({"use": st.just("jsonl"), "path": st.sampled_from(["$$.jsonl", "${X}", "/a"])}),
    st.fixed_dictionaries({"use": st.just("a:B")}, optional={"x": OWN_VALUES, "password": st.just("${X}")}),
)
SHOWN = st.fixed_dictionaries(
    {"cameras": st.dictionaries(st.sampled_from(["gate", "007", "no", "key"]), SHOWN_CAMERAS, min_size=1)},
    optional={"model": MODELS, "sinks": st.lists(SHOWN_SINKS, max_size=2)},
)


@settings(deadline=None)
@given(tree=SHOWN)
def test_what_is_shown_is_the_same_configuration_and_shows_no_secret(folder: Path, tree: Any) -> None:
    environment = {"X": "ses@me 7", "T": "0:07", "KEY": PUBLIC}
    with patch.dict(os.environ, environment):
        try:
            loaded = read(written(folder, yaml.safe_dump(tree)))
        except ConfigError:
            assume(False)  # what does not go together
        shown = yaml.safe_dump(loaded.shown())
        assert read(written(folder, shown)).config == loaded.config
    assert not [value for value in environment.values() if value in shown]
    assert "null" not in yaml.safe_dump([loaded.shown()["cameras"]]) or "use" in shown


# Whatever comes

PARTS = (Config, CameraConfig, ModelConfig, ZmqConfig, CurveConfig)
KEYS = st.sampled_from(
    [*(key for part in PARTS for key in part.model_fields), "path", "gate", "[key]", "zmq", "own sink"]
) | st.text(max_size=5)
VALUES = st.sampled_from(
    [
        "yolo26n",
        "usb:0",
        "zmq",
        "jsonl",
        "video",
        "a:B",
        "tcp://*:1",
        "ipc://a",
        "rtsp://u:p@h/",
        "rtsp://u:${X}@h/$$${X}",
        "http://h/?token=${X}&a=${X}",
        "a${X}/b.mp4",
        "${X}",
        "$$${X}$",
        "$$$${X}",
        "$",
        "*",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.binary(max_size=3)
TREES = st.recursive(
    SCALARS | VALUES | st.text(max_size=300),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=12,
)
CAMERAS = st.dictionaries(
    KEYS,
    st.fixed_dictionaries(
        {"source": VALUES},
        optional=dict.fromkeys(
            ("model", "live", "classes", "conf", "region", "from", "to", "size", "decode"), TREES
        ),
    ),
)
CONFIGURATIONS = st.fixed_dictionaries(
    {"cameras": CAMERAS | TREES},
    optional={
        "model": TREES,
        "sinks": st.lists(st.fixed_dictionaries({"use": VALUES}, optional={"path": TREES})),
    },
)


@pytest.fixture(autouse=True)
def x_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that `VALUES` has in it."""
    monkeypatch.setenv("X", "a:B")


def config_or_refusal(folder: Path, content: bytes) -> None:
    """And what is shown of a configuration is the same one, but for what is hidden."""
    path = folder / "any.yaml"
    path.write_bytes(content)
    try:
        loaded = read(path)
    except ConfigError:
        return
    shown = yaml.safe_dump(loaded.shown(), allow_unicode=True)
    again = folder / "again.yaml"
    again.write_text(shown, encoding="utf-8", errors="surrogatepass")
    if "***" not in shown:
        assert read(again).config == loaded.config


@settings(deadline=None)
@given(tree=TREES | CONFIGURATIONS)
def test_any_tree_is_a_configuration_or_refused(folder: Path, tree: Any) -> None:
    config_or_refusal(folder, yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(deadline=None)
@given(
    content=st.text(alphabet="abc:-?[]{},&*!|>'\"%@`#~\n\t \\0x.<=\x85\u2028$", max_size=60).map(str.encode)
    | st.binary()
)
def test_any_text_is_a_configuration_or_refused(folder: Path, content: bytes) -> None:
    config_or_refusal(folder, content)


@settings(deadline=None)
@given(data=st.data())
def test_any_damage_to_a_configuration_is_survived(folder: Path, data: st.DataObject) -> None:
    content = bytearray((CONFIGS / "demo.yaml").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    config_or_refusal(folder, bytes(content))


def test_no_sink_is_proposed_where_a_path_is_wrong(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, CAMERA + "sinks: [{use: video, path: x.jsonl}]"))
    assert str(caught.value).endswith("sinks.0.path: found 'x.jsonl'; allowed: a path that ends in .mp4")
