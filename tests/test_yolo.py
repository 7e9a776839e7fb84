"""The detector's edges: what it is given, what it refuses, what it leaves behind."""

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from yolo_reference import ultralytics, view

from detectors.yolo import Yolo
from detectors.yolo.cpu.reading import CpuReading
from detectors.yolo.devices import choose, cuda_devices
from detectors.yolo.weights import exported, resolve
from streamer.contracts import StagedDetector
from streamer.cores import physical_cores
from streamer.errors import AssetError, ConfigError, DetectorError

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("hardly_tuned")]
BLACK = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FRESHFRAME_CACHE", str(folder))
    return folder


Make = Callable[..., Path]


@pytest.fixture
def network(tmp_path: Path) -> Make:
    """An .onnx that answers the same to every picture."""

    def make(
        output: np.ndarray,
        shape: tuple[Any, ...] = ("batch", 3, "height", "width"),
        dtype: int = TensorProto.FLOAT,
        outputs: int = 1,
        **metadata: str,
    ) -> Path:
        names = [f"output{i}" for i in range(outputs)]
        value = onnx.numpy_helper.from_array(output.astype(helper.tensor_dtype_to_np_dtype(dtype)))
        graph = helper.make_graph(
            [helper.make_node("Constant", [], [name], value=value) for name in names],
            "constant",
            [helper.make_tensor_value_info("images", dtype, shape)],
            [helper.make_tensor_value_info(name, dtype, output.shape) for name in names],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        helper.set_model_props(model, metadata)
        path = tmp_path / "own.onnx"
        onnx.save(model, path)
        return path

    return make


def rows(*boxes: tuple[float, ...]) -> np.ndarray:
    """An end-to-end output."""
    return np.array([boxes], np.float32)


def test_a_users_own_onnx(network: Make) -> None:
    answer = rows((16, 16, 48, 32, 0.9, 1), (0, 0, 8, 8, 0.5, 0), (0, 0, 64, 64, 0.2, 0))
    with Yolo(network(answer, names="{0: 'cat', 1: 'dog'}", stride="32", task="detect"), imgsz=128) as yolo:
        assert isinstance(yolo, StagedDetector)
        assert (yolo.info.name, yolo.info.engine, yolo.info.imgsz, yolo.info.precision) == (
            ("own", "onnxruntime", 128, "fp32")
        )
        found = yolo.detect([view(BLACK), view(np.zeros((480, 640, 3), np.uint8), (320, 240, 640, 480))])
    assert list(yolo.labels) == ["cat", "dog"]
    assert [found[0].label(i) for i in range(len(found[0]))] == ["dog", "cat"]
    assert found[0].xyxy.tolist() == [[8, 8, 24, 16], [0, 0, 4, 4]]
    assert found[1].xyxy.tolist() == [[360, 280, 440, 320], [320, 240, 340, 260]]


def test_boxes_in_the_border_only_are_nothing(network: Make) -> None:
    with Yolo(network(rows((0, 0, 64, 10, 0.9, 0))), imgsz=64) as yolo:
        assert len(yolo.detect([view(np.zeros((22, 64, 3), np.uint8))])[0]) == 1
        tall = yolo.detect([view(np.zeros((33, 64, 3), np.uint8))])[0]
    assert len(tall) == 0


def test_half_precision(network: Make) -> None:
    answer = rows((16, 16, 48, 32, 0.9, 1))
    with Yolo(network(answer, dtype=TensorProto.FLOAT16), imgsz=64) as yolo:
        assert yolo.info.precision == "fp16"
        assert yolo.detect([view(BLACK)])[0].label(0) == "class1"


def test_labels_are_numbered_where_the_model_states_none(network: Make) -> None:
    with Yolo(network(np.zeros((1, 7, 21))), imgsz=32) as yolo:
        assert list(yolo.labels) == ["class0", "class1", "class2"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"task": "segment"}, "segment"),
        ({"task": "x" * 10_000}, "task 'x{40}'; only"),
        ({"stride": "1" * 5_000}, "stride '1{40}'; it must"),
        ({"names": "{0: __import__('os')}"}, "labels"),
        ({"names": "[" * 5000}, "labels"),
        ({"names": "{1: 'a'}"}, "labels"),
        ({"names": "{0: 5}"}, "labels"),
        ({"stride": "-1"}, "stride"),
        ({"outputs": 2}, "outputs"),
        ({"shape": ("batch", 1, "height", "width")}, "takes"),
        ({"shape": ("batch", 3, "side")}, "takes"),
        ({"shape": (4, 3, 64, 64)}, "exactly 4"),
        ({"shape": (1, 3, 64, "width")}, "fixed"),
        ({"shape": (1, 3, 0, 0)}, "0x0; allowed are sides from 32 to 4096"),
        ({"shape": (1, 3, 64, 31)}, "31x64; allowed"),
        ({"shape": (1, 3, 60_000, 60_000)}, "60000x60000; allowed"),
        ({"output": np.zeros((2, 1, 6))}, r"\(2, 1, 6\); allowed is \(1, …\)"),
        ({"output": np.zeros(())}, "shape"),
        ({"dtype": TensorProto.DOUBLE}, "takes"),
        ({"output": np.zeros((1, 3549, 85))}, "shape"),
        ({"output": np.zeros((1, 84, 8400)), "names": "{0: 'cat'}"}, "shape"),
        ({"output": rows((0, 0, 5, 5, np.nan, 0))}, "not a number"),
    ],
)
def test_an_onnx_that_cannot_be_run_is_refused(network: Make, changes: dict[str, Any], word: str) -> None:
    path = network(**{"output": rows((16, 16, 48, 32, 0.9, 1)), **changes})
    with pytest.raises(DetectorError, match=word) as caught, Yolo(path, imgsz=64) as yolo:
        yolo.detect([view(BLACK)])
    assert "own" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08" * 999])
def test_a_corrupt_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectorError, match=r"broken\.onnx cannot be loaded"), Yolo(path):
        pass


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"imgsz": 100}, "96"),
        ({"imgsz": 0}, "32"),
        ({"imgsz": -64}, "32"),
        ({"conf": 1.5}, "1.5"),
        ({"conf": float("nan")}, "nan"),
        ({"engine": "onxx"}, "did you mean onnx"),
        ({"engine": "torch"}, "onnx"),
        ({"device": "gpu"}, "cuda:0"),
        ({"device": "cuda:0"}, "cpu"),
        ({"classes": []}, "at least one"),
        ({"classes": "cat"}, "list"),
        ({"classes": ["dog", "cta"]}, "did you mean cat"),
    ],
)
def test_wrong_arguments_name_what_is_allowed(network: Make, arguments: dict[str, Any], words: str) -> None:
    path = network(rows((16, 16, 48, 32, 0.9, 1)), names="['cat', 'dog']")
    with pytest.raises(ConfigError, match=words), Yolo(path, **arguments):
        pass


def test_the_stride_of_the_model_counts(network: Make) -> None:
    with (
        pytest.raises(ConfigError, match="nearest is 128"),
        Yolo(network(rows((0, 0, 5, 5, 0.9, 0)), stride="64"), imgsz=96),
    ):
        pass


def test_an_engine_that_does_not_start_is_closed(network: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Mock()
    monkeypatch.setattr(CpuReading, "close", closed)
    yolo = Yolo(network(rows((0, 0, 5, 5, 0.9, 0))), imgsz=64, classes=["bus"])
    with pytest.raises(ConfigError, match="no class 'bus'"), yolo:
        pass
    assert closed.call_count == 1


def test_outside_its_block_it_says_so(network: Make) -> None:
    yolo = Yolo(network(rows((0, 0, 5, 5, 0.9, 0))), imgsz=64)
    with pytest.raises(DetectorError, match="with"):
        yolo.detect([view(BLACK)])
    for _ in range(2):  # it can be entered again
        with yolo:
            assert len(yolo.detect([view(BLACK)])) == 1


def test_engines_and_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, expected in ((0, ("onnx", "cpu")), (2, ("torch", "cuda:0"))):
        monkeypatch.setattr("detectors.yolo.devices.cuda_devices", lambda count=count: count)
        assert choose("auto", "auto", ".pt") == expected
        assert choose("auto", "auto", ".onnx") == ("onnx", "cpu")
        assert choose("auto", "cpu", ".pt") == ("onnx", "cpu")
        assert choose("torch", "cpu", ".pt") == ("torch", "cpu")
        assert choose("onnx", "auto", ".pt") == ("onnx", "cpu")
    assert choose("auto", "cuda:1", ".pt") == ("torch", "cuda:1")
    with pytest.raises(DetectorError, match="cuda:2 was asked for"):
        choose("torch", "cuda:2", ".pt")
    with pytest.raises(ConfigError):
        choose("onnx", "cuda:0", ".pt")


def test_cuda_that_is_not_there(yolo26n: Path) -> None:
    if cuda_devices():
        pytest.skip("there is CUDA here")
    with pytest.raises(DetectorError, match="no CUDA device"):
        Yolo(yolo26n, device="cuda:0")


def test_cores() -> None:
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


def test_names_and_paths(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="yolo26n"):
        Yolo("yolo62n")
    with pytest.raises(AssetError, match="freshframe models pull yolo26n"):
        Yolo("yolo26n")
    with pytest.raises(ConfigError, match="clip"):
        Yolo("bikes")
    with pytest.raises(ConfigError, match=r"nothing\.pt"):
        Yolo(tmp_path / "nothing.pt")
    with pytest.raises(ConfigError, match=r"\.pt or \.onnx"):
        Yolo(tmp_path / "model.engine")
    (tmp_path / "strange.pt").write_bytes(b"strange")
    with pytest.raises(AssetError, match="--trust-weights"):
        Yolo(tmp_path / "strange.pt")


def remains(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("engines/*") if not path.name.endswith(".lock"))


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_corrupt_weights_leave_nothing(
    engine: str, tmp_path: Path, cache: Path, yolo26n: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = tmp_path / "broken.pt"
    path.write_bytes(yolo26n.read_bytes()[:100_000])
    yolo = Yolo(path, engine=engine, device="cpu", trust_weights=True)
    with pytest.raises(DetectorError, match=r"model broken .*broken\.pt: .*damaged") as caught, yolo:
        pass
    assert ".loading-" not in str(caught.value)
    assert "yolo predict" not in str(caught.value)
    assert remains(cache) == []
    assert not list(tmp_path.glob(".loading-*"))


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_weights_for_another_task(engine: str, tmp_path: Path) -> None:
    model = ultralytics().YOLO("yolo26n-seg.yaml", verbose=False).model
    importlib.import_module("torch").save({"model": model, "train_args": {}}, tmp_path / "masks.pt")
    yolo = Yolo(tmp_path / "masks.pt", engine=engine, device="cpu", trust_weights=True)
    with pytest.raises(DetectorError, match="'segment'; only 'detect'"), yolo:
        pass


def test_weights_that_change_after_the_look(tmp_path: Path, yolo26n: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(yolo26n.read_bytes())
    yolo = Yolo(path, engine="torch", device="cpu")
    path.write_bytes(b"evil")
    with pytest.raises(DetectorError, match="changed"), yolo:
        pass


def test_a_cache_that_cannot_be_written(cache: Path, yolo26n: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(DetectorError, match="cannot be exported into"), Yolo(yolo26n, engine="onnx"):
        pass


STRANGERS = {
    "list": ["no", "network"],
    "empty": {"model": None},
    "yolov5": b"\x80\x02cmodels.yolo\nModel\n.",  # a pickle of a class whose module nobody has
}


@pytest.mark.parametrize("name", STRANGERS)
def test_no_word_of_private_files_and_of_others_commands(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, content = tmp_path / "strange.pt", STRANGERS[name]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        importlib.import_module("torch").save(content, path)
    with pytest.raises(DetectorError, match=r"strange\.pt: .*Ultralytics'") as caught:
        Yolo(path, engine="torch", device="cpu", trust_weights=True).__enter__()
    for word in (".loading-", "yolo predict", "ERROR", "Recommend"):
        assert word not in str(caught.value)


def test_a_damaged_export_is_made_anew(cache: Path, yolo26n: Path) -> None:
    damaged = cache / "engines" / f"{resolve(yolo26n, trust_weights=False).sha256}-onnxruntime-64-fp32.onnx"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"half an expo")
    killed = cache / "engines" / ".loading-killed"
    killed.mkdir()
    (killed / "weights.pt").write_bytes(b"a run that was killed left this")
    with Yolo(yolo26n, imgsz=64, engine="onnx", device="cpu") as yolo:
        assert len(yolo.labels) == 80
    assert remains(cache) == [damaged.name]


EXPORTING = """
import os, sys, threading
from pathlib import Path
from detectors.yolo import Yolo
from streamer.errors import DetectorError

def enter():
    try:
        Yolo(sys.argv[1], imgsz=64, engine="onnx", device="cpu").__enter__()
    except DetectorError as error:
        print(error, flush=True)
    ended.set()

ended = threading.Event()
threading.Thread(target=enter, daemon=True).start()
try:
    while not ended.wait(0.2):  # a signal just before a wait does not end it
        pass
except KeyboardInterrupt:
    ended.wait(1)
    print("interrupted", flush=True)
    os._exit(0)
"""
# In the exporting process, which so tells its id, and then neither gets on nor ends by itself.
STUCK = """
import os, sys, threading
if "detectors.yolo.export" in sys.orig_argv:
    import importlib
    def stuck(name, package=None, load=importlib.import_module):
        if name == "ultralytics.nn.tasks":
            with open(os.environ["CHILD"] + ".new", "w") as file:
                file.write(str(os.getpid()))
            os.rename(os.environ["CHILD"] + ".new", os.environ["CHILD"])
            threading.Event().wait()
        return load(name, package)
    importlib.import_module = stuck
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_the_exporting_process_ends_with_its_parent(
    number: signal.Signals, tmp_path: Path, yolo26n: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STUCK)
    child_file = tmp_path / "child"
    paths = os.pathsep.join((str(tmp_path), str(Path(__file__).resolve().parents[1])))
    with subprocess.Popen(
        [sys.executable, "-c", EXPORTING, str(yolo26n)],
        env={**os.environ, "PYTHONPATH": paths, "CHILD": str(child_file)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        try:
            eventually(child_file.exists)
            child = int(child_file.read_text())
            send = os.killpg if number == signal.SIGINT else os.kill  # Ctrl-C goes to the whole group
            send(parent.pid, number)
            said, _ = parent.communicate(timeout=20)
        finally:
            parent.kill()
    assert said == ("interrupted\n" if number == signal.SIGINT else "")
    eventually(lambda: not runs(child))


def eventually(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # Its new parent may be slow to bury it.
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


AUDIT = """
import os, sys

def log(event, args):
    network = event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname")
    if network or event in ("subprocess.Popen", "os.system") and "pip" in str(args):
        with open(os.environ["AUDIT_LOG"], "a") as file:
            print(event, args, file=file)

with open(os.environ["AUDIT_LOG"], "a") as file:
    print("start", file=file)
sys.addaudithook(log)
"""


def test_export_once_offline_and_for_everybody_at_once(
    tmp_path: Path, cache: Path, yolo26n: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    (tmp_path / "sitecustomize.py").write_text(AUDIT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AUDIT_LOG", str(log))
    weights = resolve(yolo26n, trust_weights=False)
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(exported(weights, 320))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert remains(cache) == [f"{weights.sha256}-onnxruntime-320-fp32.onnx"]
    assert {path.name for path in made} == set(remains(cache))
    assert log.read_text().split("\n") == ["start", ""], "one process, no network, no pip"


def test_the_main_process_stays_free_of_what_it_does_not_run(network: Make, tmp_path: Path) -> None:
    path = network(rows((0, 0, 5, 5, 0.9, 0)))
    code = (
        "import sys; from detectors.yolo import Yolo\n"
        "heavy = {'torch', 'torchvision', 'ultralytics', 'onnxruntime'}\n"
        "assert not heavy & set(sys.modules), 'by import'\n"
        f"with Yolo({str(path)!r}, imgsz=64): pass\n"
        "assert heavy & set(sys.modules) == {'onnxruntime'}, 'by use'\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=50)


def test_torch_runs_without_torchvision_and_prints_nothing(yolo26n: Path) -> None:
    code = (
        "import sys; from detectors.yolo import Yolo\n"
        f"with Yolo({str(yolo26n)!r}, imgsz=64, engine='torch', device='cpu') as yolo:\n"
        "    assert len(yolo.labels) == 80 and yolo.info.engine == 'torch'\n"
        "assert 'torchvision' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=50, capture_output=True, text=True
    )
    assert done.stdout == done.stderr == ""
