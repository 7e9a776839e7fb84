"""OpenVINO, an extra: the same boxes as ONNX Runtime; and int8 networks, kept only where they are good."""

import copy
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import filelock
import numpy as np
import pytest
from conftest import missing
from yolo_reference import average_precision, equal_share, pictures, view

from detectors.yolo import Yolo, child
from detectors.yolo.devices import choose
from detectors.yolo.int8 import quantize
from detectors.yolo.weights import _sweep, exported, resolve
from streamer.cli.commands import main
from streamer.errors import ConfigError, DetectorError
from streamer.evaluation import read_dataset

pytestmark = [pytest.mark.timeout(100), pytest.mark.usefixtures("hardly_tuned")]
BLACK = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture
def openvino() -> None:
    if importlib.util.find_spec("openvino") is None:
        missing("OpenVINO is not installed: pip install 'openvino>=2026'")


@pytest.fixture
def nncf(openvino: None) -> None:
    if importlib.util.find_spec("nncf") is None:
        missing("nncf is not installed: pip install 'nncf>=3.4'")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("FRESHFRAME_CACHE", str(folder))
    return folder


AUDIT = """
import os, sys
def log(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        with open(os.environ["AUDIT_LOG"], "a") as file:
            file.write(f"{event} {args[1:]}\\n")
sys.addaudithook(log)
"""


def listened_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file where processes that are started tell of their connections; and an empty home for them."""
    (folder / "sitecustomize.py").write_text(AUDIT)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("AUDIT_LOG", str(folder / "audit.log"))
    monkeypatch.setenv("HOME", str(folder / "home"))
    (folder / "home").mkdir()
    return folder / "audit.log"


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return listened_to(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory, yolo26n: Path) -> Path:
    """The network for 320, which takes seconds to make; whoever makes it tells nobody."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FRESHFRAME_CACHE", str(folder / "cache"))
        heard = listened_to(folder, patched)
        made = exported(resolve(yolo26n, trust_weights=False), 320)
    assert not heard.exists(), heard.read_text()
    return made


@pytest.fixture
def cache_with_320(cache: Path, export: Path) -> Path:
    (cache / "engines").mkdir(parents=True)
    shutil.copy(export, cache / "engines")
    return cache


@pytest.mark.parametrize("engine", ["openvino", "openvino-int8"])
def test_without_the_extra_it_says_what_to_install(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DetectorError, match=r"extra openvino: pip install 'openvino>=2026'"):
        choose(engine, "auto", ".pt")
    with pytest.raises(ConfigError, match="runs on the cpu"):
        choose(engine, "cuda:0", ".pt")


@pytest.mark.shared
def test_the_same_boxes(openvino: None, shared_data: Path, yolo26n: Path) -> None:
    images = pictures(shared_data, every=5)
    found = {}
    for engine in ("onnx", "openvino"):
        with Yolo(yolo26n, engine=engine, device="cpu", conf=0.001) as yolo:
            assert yolo.info.precision == "fp32"
            found[engine] = {number: yolo.detect([view(image)])[0] for number, image in images.items()}
    share, count = equal_share(list(found["openvino"].values()), list(found["onnx"].values()), 0.25)
    assert count > 200
    assert share >= 0.99
    ap = {engine: average_precision(shared_data, seen) for engine, seen in found.items()}
    assert ap["openvino"] == pytest.approx(ap["onnx"], abs=0.001)


def test_several_views_and_results_that_stay(openvino: None, cache_with_320: Path, yolo26n: Path) -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 255, (9, 16, 3), np.uint8)
    images = [np.asarray(cv2.resize(noise, size), np.uint8) for size in ((320, 180), (96, 96))]
    with Yolo(yolo26n, engine="openvino", imgsz=320, conf=0.0001) as yolo:
        alone = [yolo.detect([view(image)])[0] for image in images]
        together = yolo.detect([view(image) for image in (*images, *images)])
    for mine, other in zip([*alone, *alone], together, strict=True):
        np.testing.assert_array_equal(mine.xyxy, other.xyxy)


@pytest.mark.parametrize("content", [b"", b"no network at all"])
def test_an_onnx_that_cannot_be_read(openvino: None, cache: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectorError, match=r"own\.onnx"), Yolo(path, engine="openvino"):
        pass


def test_int8_that_was_not_made_names_the_command(
    openvino: None, cache: Path, yolo26n: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DetectorError, match=r"freshframe models quantize .* --imgsz 320 --frames"):
        Yolo(yolo26n, engine="openvino-int8", imgsz=320)
    arguments = ["detect", "synthetic:?count=3", "--model", str(yolo26n), "--engine", "openvino-int8"]
    assert main(arguments) == 2
    assert "models quantize" in capsys.readouterr().err


@pytest.fixture
def dataset(tmp_path: Path, shared_data: Path) -> Path:
    """A few pictures of coco-mini with what is in them."""
    source = shared_data / "datasets/coco-mini"
    tree = json.loads((source / "instances.json").read_text())
    tree["images"] = sorted(tree["images"], key=lambda one: one["file_name"])[:12]
    kept = {one["id"] for one in tree["images"]}
    tree["annotations"] = [one for one in tree["annotations"] if one["image_id"] in kept]
    (tmp_path / "images").mkdir()
    for one in tree["images"]:
        shutil.copy(source / "images" / one["file_name"], tmp_path / "images")
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(tree))
    return path


@pytest.mark.shared
def test_int8_is_made_kept_and_refused(
    nncf: None,
    cache_with_320: Path,
    yolo26n: Path,
    dataset: Path,
    audit: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["models", "quantize", str(yolo26n), "--imgsz", "320", "--dataset", str(dataset)]
    command += ["--frames", str(dataset.parent / "images")]
    kept = tmp_path / "kept"
    make = child.run

    def make_once(module: str, arguments: Sequence[str], *more: Any) -> None:
        made = Path(arguments[-1]).parent
        if kept.exists():
            shutil.copytree(kept, made, dirs_exist_ok=True)
        else:
            make(module, arguments, *more)
            shutil.copytree(made, kept)

    monkeypatch.setattr(child, "run", make_once)
    monkeypatch.setattr("detectors.yolo.int8.quantize.ALLOWED_LOSS", -1.0)  # as if it had lost too much
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert "AP fp32 0." in out
    assert "nothing was kept" in err
    engines = cache_with_320 / "engines"
    assert not list(engines.glob("*int8"))
    assert not list(engines.glob(".loading-*"))
    with pytest.raises(DetectorError, match="models quantize"):
        Yolo(yolo26n, engine="openvino-int8", imgsz=320)

    monkeypatch.setattr("detectors.yolo.int8.quantize.ALLOWED_LOSS", 1.0)  # twelve pictures say little
    assert main(command) == 0
    assert "--engine openvino-int8" in capsys.readouterr().out
    yolo = Yolo(yolo26n, engine="openvino-int8", imgsz=320, conf=0.001)
    assert quantize._precision(yolo, read_dataset(dataset)) > 0.2
    assert (yolo.info.engine, yolo.info.precision) == ("openvino", "int8")
    assert len(yolo.labels) == 80

    # nncf tells its maker of each use, unless it is kept from it.
    assert not audit.exists(), audit.read_text()
    assert not (audit.parent / "home/intel").exists()

    (network,) = engines.glob("*int8/network.xml")
    network.write_text("damaged")
    with (
        pytest.raises(DetectorError, match=r"network\.xml"),
        Yolo(yolo26n, engine="openvino-int8", imgsz=320),
    ):
        pass


@pytest.mark.shared
def test_quantizing_refuses_what_it_cannot_use(
    nncf: None,
    cache_with_320: Path,
    yolo26n: Path,
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = dataset.parent / "images"

    def said(frames: str | Path = images, where: Path = dataset, *more: str) -> str:
        command = ["models", "quantize", str(yolo26n), "--imgsz", "320", "--frames", str(frames)]
        assert main([*command, "--dataset", str(where), *more]) == 2
        return capsys.readouterr().err

    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(next(images.iterdir()), few)
    assert "holds 1 pictures; at least 10" in said(few)
    assert "--frames must be" in said("rtsp://u:secret@127.0.0.1/x")
    assert "secret" not in said("rtsp://u:secret@127.0.0.1/x")
    assert "cannot be read" in said(images, tmp_path / "none.json")
    wrong = tmp_path / "wrong.json"
    for text in ("", "[]", "{}", '{"categories": 3}'):
        wrong.write_text(text)
        assert "no dataset in COCO's format" in said(images, wrong)
    assert "11 of 12 pictures are missing" in said(images, dataset, "--images", str(few))
    assert "multiple of 32" in said(images, dataset, "--imgsz", "100")

    tree = json.loads(dataset.read_text())

    def changed(change: Callable[[Any], object]) -> Path:
        another = copy.deepcopy(tree)
        change(another)
        wrong.write_text(json.dumps(another))
        return wrong

    for change in (
        lambda tree: tree["annotations"][0].update(bbox=[1, 2, 3]),
        lambda tree: tree["annotations"][0].update(bbox=[1, 2, -3, 4]),
        lambda tree: tree["annotations"][0].update(bbox=[1, 2, 3, float("nan")]),
        lambda tree: tree["annotations"][0].update(image_id=None),
        lambda tree: tree["images"][0].update(id="one"),
        lambda tree: tree["categories"].append({"name": "x"}),
    ):
        assert "no dataset in COCO's format" in said(images, changed(change))
    wrong.write_bytes(dataset.read_bytes().replace(b'"person"', b'"\xff"'))
    assert "no dataset in COCO's format" in said(images, wrong)
    assert "picture id " in said(images, changed(lambda tree: tree["images"].append(tree["images"][0])))
    seldom = {one["image_id"] for one in tree["annotations"][:1]}
    assert "1 pictures of" in said(
        images,
        changed(lambda t: t.update(annotations=[a for a in t["annotations"] if a["image_id"] in seldom])),
    )
    monkeypatch.setattr("streamer.evaluation.coco_file.LARGEST_FILE", 100)
    assert "larger than" in said()


@pytest.fixture
def no_child(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of other processes; int8 networks are not made."""
    asked: list[str] = []
    run = child.run

    def ask(module: str, *arguments: Any) -> None:
        asked.append(module)
        if module != "detectors.yolo.int8.quantizing":
            run(module, *arguments)

    monkeypatch.setattr(child, "run", ask)
    return asked


@pytest.mark.shared
def test_a_dataset_that_says_nothing_is_refused(
    nncf: None,
    yolo26n: Path,
    dataset: Path,
    cache_with_320: Path,
    no_child: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    tree = json.loads(dataset.read_text())

    def said(**changes: object) -> str:
        dataset.write_text(json.dumps({**tree, **changes}))
        command = ["models", "quantize", str(yolo26n), "--dataset", str(dataset), "--imgsz", "320"]
        assert main([*command, "--frames", str(dataset.parent / "images")]) == 2
        return capsys.readouterr().err

    foreign = [{**one, "name": f"thing {one['id']}"} for one in tree["categories"]]
    assert "is among the model's labels: it has thing 1, " in said(categories=foreign)
    # One picture shows a person, the others what the model has never heard of.
    (person,) = (one["id"] for one in tree["categories"] if one["name"] == "person")
    shown = {one["image_id"] for one in tree["annotations"] if one["category_id"] == person}
    mostly = [one for one in foreign if one["id"] != person] + [{"id": person, "name": "person"}]
    assert f"{len(shown)} pictures of" in said(categories=mostly)
    # Truth that nothing of what is found agrees with.
    moved = [{**one, "bbox": [0, 0, 1, 1]} for one in tree["annotations"]]
    assert "itself has an average precision of 0.0" in said(annotations=moved)
    crowds = [{**one, "iscrowd": 1} for one in tree["annotations"]]
    assert "says of no picture what is in it" in said(annotations=crowds)
    picture = next((dataset.parent / "images").iterdir())
    picture.write_bytes(b"no picture")
    assert f"{picture.name} is no picture" in said()
    assert no_child == []
    assert [Path(name).suffix for name in remains(cache_with_320)] == [".onnx"]


@pytest.mark.parametrize("precisions", [[0.4, 0.39], [0.4, float("nan")], [float("nan")], [0.04], [-1.0]])
def test_only_what_is_as_good_is_kept(
    precisions: list[float],
    nncf: None,
    cache: Path,
    tmp_path: Path,
    no_child: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = tmp_path / "own.onnx"
    network.write_bytes(b"a network")
    left = list(precisions)
    monkeypatch.setattr(quantize, "_truth", lambda *_: None)
    monkeypatch.setattr(quantize, "_precision", lambda *_: left.pop(0))
    if len(precisions) == 1:
        with pytest.raises(ConfigError, match="own itself has an average precision of"):
            quantize.quantize(str(network), frames="synthetic:?count=20", dataset="none.json")
    else:
        made = quantize.quantize(str(network), frames="synthetic:?count=20", dataset="none.json")
        assert made.kept is None
    assert left == []
    assert remains(cache) == []


def test_what_is_kept_was_made_of_the_bytes_that_were_looked_at(
    nncf: None, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tmp_path / "own.onnx"
    network.write_bytes(b"a network")
    wanted = hashlib.sha256(b"a network").hexdigest()
    killed = cache / "engines/.quantizing-killed"
    killed.mkdir(parents=True)

    def make(_module: str, arguments: Sequence[str], *_: object) -> None:
        assert Path(arguments[0]).read_bytes() == b"a network"
        network.write_bytes(b"another network")  # somebody trains on
        Path(arguments[3]).write_text("int8")
        # Others' exports do not wait meanwhile, and do not throw away what is being made.
        with filelock.FileLock(cache / "engines/.lock", timeout=0):
            _sweep(cache / "engines")
        with pytest.raises(DetectorError, match="another process is making"):
            quantize.quantize(str(network), frames="synthetic:?count=20", dataset="none.json")

    looked_at: list[bytes] = []

    def precision(detector: Any, _: object) -> float:
        path, _imgsz, sha256, _int8 = detector._arguments
        assert sha256 == wanted
        looked_at.append(path.read_bytes())
        return 0.4

    monkeypatch.setattr(quantize, "_truth", lambda *_: None)
    monkeypatch.setattr(quantize, "_precision", precision)
    monkeypatch.setattr(child, "run", make)
    made = quantize.quantize(str(network), frames="synthetic:?count=20", dataset="none.json")
    assert looked_at == [b"a network"] * 2
    assert made.kept == cache / "engines" / f"{wanted}-openvino-640-int8"
    assert remains(cache) == [made.kept.name]


def remains(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("engines/*") if not path.name.endswith(".lock"))


def test_openvino_itself_tells_nobody(
    openvino: None, cache_with_320: Path, audit: Path, yolo26n: Path
) -> None:
    code = (
        "from detectors.yolo import Yolo\nfrom detectors.yolo.cpu import tuning\n"
        "tuning.BUDGET_S = 0.2\n"
        f"with Yolo({str(yolo26n)!r}, engine='openvino', imgsz=320): pass\n"
    )
    paths = f"{audit.parent}:{Path(__file__).resolve().parents[1]}"
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=90, env=environment)
    assert not audit.exists(), audit.read_text()
    assert not (audit.parent / "home/intel").exists()


def test_the_main_process_stays_free_of_what_quantising_takes(openvino: None) -> None:
    code = (
        "import sys, detectors.yolo.int8.quantize\n"
        "assert not {'nncf', 'torch', 'openvino', 'faster_coco_eval'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)
