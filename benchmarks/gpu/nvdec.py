"""Can the hardware decoder be reached? Tried, never guessed; in a process of its own, for it may crash.

python -m benchmarks.gpu.nvdec CLIP
"""

import ctypes
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def tried(clip: Path) -> dict[str, str]:
    """What each way of reaching NVDEC said."""
    return {
        "libnvcuvid": _said(_library),
        "PyNvVideoCodec": _said(lambda: _pynv(clip)),
        "PyAV h264_cuvid": _said(lambda: _cuvid(clip)),
    }


def _said(attempt: Any) -> str:
    try:
        return str(attempt())
    except Exception as error:  # whatever it says is the answer
        return f"no: {type(error).__name__}: {str(error).strip()[:200]}"


def _library() -> str:
    ctypes.CDLL("libnvcuvid.so.1")
    return "the driver's library is there"


def _pynv(clip: Path) -> str:
    codec: Any = importlib.import_module("PyNvVideoCodec")
    decoder = codec.SimpleDecoder(str(clip), gpu_id=0, use_device_memory=True)
    started = time.perf_counter()
    count = len(decoder)
    frames = [decoder[index] for index in range(count)]
    return f"decoded {len(frames)} of {count} frames in {time.perf_counter() - started:.2f} s"


def _cuvid(clip: Path) -> str:
    av: Any = importlib.import_module("av")
    codec = av.CodecContext.create("h264_cuvid", "r")
    count, started = 0, time.perf_counter()
    with av.open(str(clip)) as container:
        codec.extradata = container.streams.video[0].codec_context.extradata
        for packet in container.demux(video=0):
            count += len(codec.decode(packet))
    return f"decoded {count} frames in {time.perf_counter() - started:.2f} s"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(tried(Path(sys.argv[1]))) + "\n")
