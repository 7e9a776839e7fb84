"""Which engines there are, and how fast."""

from pathlib import Path
from typing import Any

import pytest

from streamer.cli import doctor, doctor_speed
from streamer.doctor.finding import Level
from streamer.doctor.machine import (
    engines,
)
from streamer.doctor.machine.engines import Speed
from streamer.doctor.machine.libraries import Loaded
from streamer.errors import FreshframeError
from tests.doctor_sections import one

pytestmark = pytest.mark.timeout(60)


def measured(**speeds: Speed) -> Any:
    return lambda engine, device: speeds[f"{engine}_{device}".replace("-", "_").replace(":", "")]


GOOD = Speed(20.0, "fp32")


def test_engines_and_their_speeds() -> None:
    torch: dict[str, Any] = {"driver": False, "cuda": None, "devices": []}
    loaded = Loaded({"onnxruntime": {}, "openvino": {}, "torch": torch})
    not_made = Speed(failure="There is none. Make one: `freshframe models quantize`", not_made=True)
    section = engines.section(
        loaded, measured(onnx_cpu=Speed(50.0, "fp32"), openvino_cpu=GOOD, openvino_int8_cpu=not_made)
    )
    assert "50.0 ms a picture, 20 a second" in one(section, "onnx").text
    assert one(section, "openvino-int8").level is Level.FACT
    assert one(section, "openvino-int8").advice == "`freshframe models quantize`"
    assert "2.5 times" in one(section, "fastest").text
    assert "--engine openvino`" in one(section, "fastest").advice
    assert "no NVIDIA driver" in one(section, "gpu").text


def test_a_gpu() -> None:
    gpu = {"driver": True, "cuda": "12.8", "devices": [{"name": "NVIDIA H100", "memory": 80e9}]}
    loaded = Loaded({"onnxruntime": {}, "torch": gpu})
    section = engines.section(loaded, measured(onnx_cpu=GOOD, torch_cuda0=Speed(2.0, "fp16")))
    assert "NVIDIA H100, 80.0 GB" in one(section, "cuda:0").text
    assert "500 a second" in one(section, "torch, cuda:0").text


@pytest.mark.parametrize(
    ("torch", "advice"),
    [
        ({"driver": True, "cuda": None, "devices": []}, "without constraints.txt"),
        ({"driver": True, "cuda": "12.8", "devices": []}, "nvidia-smi"),
    ],
)
def test_a_gpu_that_torch_cannot_use(torch: dict[str, Any], advice: str) -> None:
    said = one(engines.section(Loaded({"torch": torch}), None, "not now"), "gpu")
    assert said.level is Level.WARNING
    assert advice in said.advice


def test_engines_that_fail_or_are_slow() -> None:
    loaded = Loaded({"onnxruntime": {}, "openvino": {}})
    section = engines.section(
        loaded,
        measured(
            onnx_cpu=Speed(failure="its process crashed (SIGILL)"),
            openvino_cpu=Speed(400.0, "fp32"),
            openvino_int8_cpu=GOOD,
        ),
    )
    assert one(section, "onnx").level is Level.PROBLEM
    assert "SIGILL" in one(section, "onnx").text
    assert one(section, "openvino").level is Level.WARNING
    assert "imgsz: 320" in one(section, "openvino").advice


def test_a_real_engine_is_measured(yolo26n: Path) -> None:
    speed = doctor._measure("onnx", "cpu")
    assert not speed.failure
    assert speed.ms is not None
    assert 0.5 < speed.ms < 5000
    assert speed.precision == "fp32"
    with pytest.raises(FreshframeError, match="Allowed are"):
        doctor_speed.measure("steam", "cpu")
