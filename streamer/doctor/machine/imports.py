"""Run as a file, in a process of its own: loads each module named, and says a line of JSON about it.

Nothing of ours is imported: what is broken here may be what that needs. Whoever started it holds its
stdin, and it ends when that is closed.
"""

import contextlib
import ctypes
import importlib
import json
import os
import sys
import threading
from typing import Any

CODECS = ("h264", "hevc", "mjpeg", "mpeg4", "vp8", "vp9", "av1", "vvc")
# What FFmpeg calls decoders that run on other hardware than the processor.
HARDWARE = ("cuvid", "qsv", "amf", "v4l2m2m", "vaapi", "videotoolbox", "mediacodec", "d3d11va", "rkmpp")


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is not the answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # OpenVINO tells its maker that it is loaded, with this package; without it, it does not.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python's own way to forbid an import
    for name in sys.argv[1:]:
        out.write(json.dumps({"module": name, **_look_at(name)}) + "\n")
        out.flush()
    os._exit(0)  # some hang or crash while they are taken down


def _look_at(name: str) -> dict[str, Any]:
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # anything, SystemExit too
        return {"error": f"{type(error).__name__}: {error}"[:500], "missing": _missing(error, name)}
    found: dict[str, Any] = {}
    ask = {"av": _av, "cv2": _cv2, "torch": _torch, "openvino": _openvino}.get(name)
    if ask is not None:
        with contextlib.suppress(Exception):  # it loads; what it cannot say stays out
            found = ask(module)
    return found


def _missing(error: BaseException, name: str) -> bool:
    return isinstance(error, ModuleNotFoundError) and error.name == name


def _av(av: Any) -> dict[str, Any]:
    decoders = {}
    for codec in CODECS:
        with contextlib.suppress(Exception):
            decoders[codec] = av.codec.Codec(codec, "r").name
    available = av.codec.codecs_available
    hardware = {codec: [kind for kind in HARDWARE if f"{codec}_{kind}" in available] for codec in CODECS}
    return {
        "ffmpeg": str(getattr(av, "ffmpeg_version_info", "")),
        "decoders": decoders,
        "hardware": {codec: kinds for codec, kinds in hardware.items() if kinds},
    }


def _cv2(cv2: Any) -> dict[str, Any]:
    lines = cv2.getBuildInformation().splitlines()
    gui = [line.partition(":")[2].strip() for line in lines if line.strip().startswith("GUI:")]
    return {"gui": gui[0] if gui else "", "imshow": hasattr(cv2, "imshow")}


def _torch(torch: Any) -> dict[str, Any]:
    driver = True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        driver = False
    found: dict[str, Any] = {"driver": driver, "cuda": torch.version.cuda, "devices": []}
    if driver and torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            one = torch.cuda.get_device_properties(number)
            found["devices"].append({"name": one.name, "memory": one.total_memory})
    return found


def _openvino(openvino: Any) -> dict[str, Any]:
    return {"devices": list(openvino.Core().available_devices)}


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
