"""`freshframe eval` from outside, with a real network: its figures, its page, its exit statuses."""

import importlib.util
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from conftest import missing
from labelled import scattered
from running import started
from yolo_reference import average_precision, view

from detectors.yolo import Yolo
from detectors.yolo.weights import exported, resolve
from streamer.cli.commands import main
from streamer.sources.pictures import read_picture

pytestmark = [pytest.mark.shared, pytest.mark.timeout(100)]
COUNT = 14


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.evaluation.chance.DRAWS", 100)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """A part of coco-mini, as a JSON file with its pictures beside it."""
    folder = tmp_path_factory.mktemp("mini")
    source = shared_data / "datasets/coco-mini"
    tree = json.loads((source / "instances.json").read_text())
    tree["images"] = sorted(tree["images"], key=lambda one: -one["id"])[::7][:COUNT]
    kept = {one["id"] for one in tree["images"]}
    tree["annotations"] = [one for one in tree["annotations"] if one["image_id"] in kept]
    for one in tree["images"]:
        shutil.copy(source / "images" / one["file_name"], folder)
    (folder / "instances.json").write_text(json.dumps(tree))
    return folder / "instances.json"


def as_yolo(coco: Path, folder: Path) -> Path:
    """The same dataset as YOLO's tools have it: without crowds, without the outlines' areas."""
    tree = json.loads(coco.read_text())
    (folder / "labels").mkdir(parents=True)
    (folder / "images").mkdir()
    names = [one["name"] for one in tree["categories"]]
    number = {one["id"]: place for place, one in enumerate(tree["categories"])}
    for image in tree["images"]:
        shutil.copy(coco.parent / image["file_name"], folder / "images")
        lines = []
        for one in tree["annotations"]:
            if one["image_id"] == image["id"]:
                x, y, w, h = one["bbox"]
                place = [(x + w / 2), (y + h / 2), w, h]
                sides = [image["width"], image["height"]] * 2
                shares = " ".join(repr(a / b) for a, b in zip(place, sides, strict=True))
                lines.append(f"{number[one['category_id']]} {shares}")
        (folder / "labels" / image["file_name"]).with_suffix(".txt").write_text("\n".join(lines))
    (folder / "data.yaml").write_text(f"val: images\nnames: {json.dumps(names)}\n")
    return folder


def figures(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def test_figures_are_those_of_the_detector_held_against_the_truth_by_hand(
    mini: Path, yolo26n: Path, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    given = ["--model", str(yolo26n), "--imgsz", "320", "--engine", "onnx"]
    assert main(["eval", str(mini), *given, "--json", str(out)]) == 0
    told = figures(out)
    (model,) = told["models"]
    tree = json.loads(mini.read_text())
    with Yolo(yolo26n, imgsz=320, engine="onnx", conf=0.001) as yolo:
        found = {
            one["id"]: yolo.detect([view(read_picture(mini.parent / one["file_name"]))])[0]
            for one in tree["images"]
        }
    assert model["ap"] == pytest.approx(average_precision(shared_data, found), abs=1e-6)
    assert 0.2 < model["ap"] < model["ap50"] < 0.9
    assert (model["engine"], model["precision"], model["imgsz"]) == ("onnxruntime", "fp32", 320)
    assert model["sha256"].startswith("9b09cc8bf347")
    crowds = sum(one["iscrowd"] for one in tree["annotations"])
    assert (told["pictures"], told["boxes"]) == (COUNT, len(tree["annotations"]) - crowds)
    assert 0.01 < told["ap_margin_95"] < 0.3

    page = capsys.readouterr().out
    assert (
        f"{COUNT} pictures (1 without a box), {told['boxes']} boxes of {len(model['classes'])} classes"
        in page
    )
    assert f"\nAP          {model['ap']:.4f}\n".replace(" ", "") in page.replace(" ", "")
    (person,) = (one for one in model["classes"] if one["name"] == "person")
    row = f"person {person['boxes']} {person['ap']:.4f} {person['ap50']:.4f}".split()
    assert row in [line.split() for line in page.splitlines()]
    assert [line for line in page.splitlines()[4:] if len(line) > 80] == []

    # The same pictures in YOLO's form.
    tree["annotations"] = [one for one in tree["annotations"] if not one["iscrowd"]]
    for one in tree["annotations"]:
        one["area"] = one["bbox"][2] * one["bbox"][3]
    plain = mini.with_name("plain.json")
    plain.write_text(json.dumps(tree))
    assert main(["eval", str(plain), *given, "--json", str(out)]) == 0
    (coco,) = figures(out)["models"]
    assert main(["eval", str(as_yolo(plain, tmp_path / "yolo")), *given, "--json", str(out)]) == 0
    (yolos,) = figures(out)["models"]
    for key in ("ap", "ap50", "ap75", "small", "medium", "large"):
        assert yolos[key] == pytest.approx(coco[key], abs=1e-6), key
    assert [one["name"] for one in yolos["classes"]] == [one["name"] for one in coco["classes"]]


@pytest.fixture
def openvino() -> None:
    if importlib.util.find_spec("openvino") is None:
        missing("OpenVINO is not installed: pip install 'openvino>=2026'")


def test_two_engines_are_compared(
    openvino: None, mini: Path, yolo26n: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    command = ["eval", str(mini), "--model", str(yolo26n), "--imgsz", "320", "--classes", "person,chair"]
    assert main([*command, "--engine", "onnx", "--against-engine", "openvino", "--json", str(out)]) == 0
    told, page = figures(out), capsys.readouterr().out
    assert [one["engine"] for one in told["models"]] == ["onnxruntime", "openvino"]
    assert [one["name"] for one in told["models"][0]["classes"]] == ["chair", "person"]
    assert abs(told["difference"]) < 0.002
    assert "\n              onnx   openvino   difference\n" in page
    assert "do not differ" in page or "cannot be told from chance" in page or "give or take" in page


def test_two_models_are_compared(
    mini: Path,
    yolo26n: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of them does not know its own labels."""
    monkeypatch.setattr("detectors.yolo.cpu.tuning.BUDGET_S", 0.2)
    weights = resolve(yolo26n, trust_weights=False)
    model = onnx.load(exported(weights, 320))
    for entry in model.metadata_props:
        if entry.key == "names":
            entry.value = entry.value.replace("'person'", "'chair '").replace("'chair'", "'person'")
            entry.value = entry.value.replace("'chair '", "'chair'")
    other = tmp_path / "mixed.onnx"
    onnx.save(model, other)
    out = tmp_path / "out.json"
    command = ["eval", str(mini), "--model", str(yolo26n), "--imgsz", "320", "--classes", "person,chair"]
    assert main([*command, "--against", str(other), "--json", str(out)]) == 0
    told, page = figures(out), capsys.readouterr().out
    first, second = told["models"]
    assert first["ap"] > 0.2 > 0.05 > second["ap"]
    assert told["difference"] == pytest.approx(second["ap"] - first["ap"])
    assert -told["difference"] > told["difference_margin_95"] > 0
    assert "this is more than chance" in page
    assert " lower than that of " in page


def test_mistakes_are_told_before_anything_is_looked_at(
    mini: Path, yolo26n: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str | Path, status: int = 2) -> str:
        assert main(["eval", *map(str, arguments), "--model", str(yolo26n), "--imgsz", "320"]) == status
        got = capsys.readouterr()
        assert got.out == ""
        return got.err

    assert "that is no other" in said(mini, "--against", yolo26n)
    assert "there is no model file nowhere.onnx" in said(mini, "--against", "nowhere.onnx")
    assert "--map person: allowed is CLASS=LABEL" in said(mini, "--map", "person")
    assert "nothing of the class 'zzz'; it has " in said(mini, "--map", "zzz=person")
    assert "nothing of the class 'persn' (did you mean person?)" in said(mini, "--classes", "persn")
    nowhere = tmp_path / "nowhere" / "out.json"
    assert f"--json {nowhere}: cannot be written: no such file" in said(mini, "--json", str(nowhere))
    assert "is no dataset" in said(tmp_path)
    content = mini.read_bytes()
    assert "is what is to be read; write elsewhere" in said(mini, "--json", str(mini))
    assert "is what is to be read; write elsewhere" in said(mini.parent, "--json", str(mini))
    assert mini.read_bytes() == content

    tree = json.loads(mini.read_text())
    for one in tree["annotations"]:
        one["iscrowd"] = 1
    crowds = mini.with_name("crowds.json")
    tree["annotations"].append({**tree["annotations"][0], "id": 10**9, "category_id": 1, "iscrowd": 0})
    tree["annotations"][0]["category_id"] = 62  # chair
    crowds.write_text(json.dumps(tree))
    assert "shows nothing of it but crowds" in said(crowds, "--classes", "chair")

    tree = json.loads(mini.read_text())
    for one in tree["categories"]:
        one["name"] = {"person": "pedestrian", "chair": "Chair"}.get(one["name"], one["name"])
    odd = mini.with_name("odd.json")
    odd.write_text(json.dumps(tree))
    text = said(odd)
    assert "has 2 classes that " in text
    assert "Chair (chair?)" in text
    assert "pedestrian" in text
    assert "--map CLASS=LABEL" in text
    assert "; or judge only some: --classes '" in text
    again = ["eval", str(odd), "--model", str(yolo26n), "--imgsz", "320", "--map", "pedestrian=person"]
    assert main([*again, "--map", "Chair=chair"]) == 0
    assert "\nperson " in capsys.readouterr().out

    last = mini.parent / tree["images"][-1]["file_name"]
    content = last.read_bytes()
    try:
        last.write_bytes(content[: len(content) // 3])  # without its end
        assert f"{last.name} is no picture that can be read: cut off" in said(mini)
        last.unlink()
        assert f"1 of {COUNT} pictures are missing: {last.name}; " in said(mini)
    finally:
        last.write_bytes(content)


def test_a_picture_that_breaks_off_ends_it(
    yolo26n: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = scattered(6)
    replace(given, rows=(*given.rows[:-1], ())).coco(tmp_path / "new")
    folder = (tmp_path / "new").rename(tmp_path / os.fsdecode(b"of \xff"))  # no UTF-8
    out_file = tmp_path / "out.json"
    command = ["eval", str(folder / "labels.json"), "--model", str(yolo26n), "--imgsz", "64"]
    assert main([*command, "--json", str(out_file)]) == 0
    assert figures(out_file)["dataset"] == command[1]
    page = capsys.readouterr().out
    assert "\n6 pictures (1 without a box), " in page
    assert "5 pictures with boxes say little of others" in page
    last = folder / "images/p001.png"
    content = last.read_bytes()
    begin = content.index(b"IDAT") + 4
    last.write_bytes(content[:begin] + bytes(8) + content[begin + 8 :])
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "/images/p001.png cannot be read: damaged" in err


def test_an_answer_that_never_came_is_a_failure(mini: Path, yolo26n: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = (
        "eval",
        mini,
        "--model",
        yolo26n,
        "--engine",
        "onnx",
        "--against-engine",
        "torch",
        "--json",
        out,
    )
    with started(*command) as process:
        assert process.stderr is not None
        assert "looking at" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted: there is no answer yet" in err
    assert not out.exists()


def test_int8_is_held_against_fp32_where_there_is_one(
    openvino: None, mini: Path, yolo26n: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", str(mini), "--model", str(yolo26n), "--imgsz", "64", "--engine", "onnx"]
    assert main([*command, "--against-engine", "openvino-int8"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "there is no int8 network" in err
