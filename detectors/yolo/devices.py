"""Which engine on which device: ONNX Runtime on a CPU, torch on a GPU, unless one is asked for."""

import ctypes
import difflib
import importlib
import importlib.util
import re
import sys

from streamer.errors import ConfigError, DetectorError

INT8 = "openvino-int8"
ENGINES = ("auto", "onnx", "torch", "openvino", INT8)
CUDA_BATCH = 32


def choose(engine: str, device: str, suffix: str) -> tuple[str, str]:
    """What `auto` comes to for a .pt or .onnx file: onnx, torch, openvino…; and cpu or cuda:N.

    Raises ConfigError where they do not go together, DetectorError where the device is not there.
    """
    if engine not in ENGINES:
        near = difflib.get_close_matches(engine, ENGINES, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"there is no engine {engine!r}: {hint}Allowed are {', '.join(ENGINES)}")
    if not re.fullmatch(r"auto|cpu|cuda:\d{1,3}", device):
        raise ConfigError(f"there is no device {device!r}: allowed are auto, cpu and cuda:0, cuda:1 …")
    if suffix == ".onnx" and engine == "torch":
        raise ConfigError("an .onnx file runs with engine onnx, not torch: give the .pt weights for torch")
    if engine not in ("auto", "torch") or suffix == ".onnx":
        engine = "onnx" if engine == "auto" else engine
        if device.startswith("cuda"):
            raise ConfigError(
                f"engine {engine} runs on the cpu, not on {device}: {device} wants torch and .pt"
            )
        if engine.startswith("openvino") and importlib.util.find_spec("openvino") is None:
            raise DetectorError(
                f"engine {engine} wants OpenVINO, which is not installed; it is the extra openvino: "
                "pip install 'openvino>=2026'"
            )
        return engine, "cpu"
    if device.startswith("cuda"):
        _check_cuda(device)
        return "torch", device
    if device == "auto" and cuda_devices():
        return "torch", "cuda:0"
    return ("torch" if engine == "torch" else "onnx"), "cpu"


def _check_cuda(device: str) -> None:
    count = cuda_devices()
    if int(device.removeprefix("cuda:")) >= count:
        found = f"cuda:0…cuda:{count - 1}" if count > 1 else "only cuda:0" if count else "no CUDA device"
        raise DetectorError(
            f"{device} was asked for, but torch finds {found} here. Use device cpu or auto, or install "
            "NVIDIA's driver and a torch built for CUDA"
        )


def cuda_devices() -> int:
    """How many CUDA devices torch can use. Torch is not imported where there is no CUDA driver."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    cuda = importlib.import_module("torch").cuda
    return int(cuda.device_count()) if cuda.is_available() else 0


def max_batch(device: str) -> int:
    """How many pictures go together. On a CPU a batch gains nothing, and one alone is fresher."""
    return CUDA_BATCH if device.startswith("cuda") else 1
