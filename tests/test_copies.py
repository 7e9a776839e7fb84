"""How many bytes are made on a frame's way from the decoder into the network: each pass is counted."""

import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnx
import pytest
from numpy.typing import DTypeLike, NDArray
from onnx import TensorProto, helper

from detectors.yolo import Yolo
from detectors.yolo.cpu.buffers import Buffers
from streamer import Frame, Quality, View
from streamer.sources import open_source, parse_address

pytestmark = pytest.mark.timeout(60)
WIDTH, HEIGHT = 1280, 720
INPUT = 384 * 640 * 3  # bytes of one input, a byte for each colour


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, 30)
        for number in range(8):
            pixels = np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def yolo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yolo]:
    monkeypatch.setenv("FRESHFRAME_CACHE", str(tmp_path / "cache"))
    rows = onnx.numpy_helper.from_array(np.zeros((1, 3, 6), np.float32))
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["output"], value=rows)],
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ("batch", 3, "height", "width"))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 3, 6))],
    )
    path = tmp_path / "own.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    with Yolo(path) as entered:
        yield entered


def test_bytes_made_for_a_frame(clip: Path, yolo: Yolo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that is used again is counted as it is taken; whatever is fresh, by tracemalloc."""
    taken: list[int] = []
    take = Buffers.take

    def counted(self: Buffers, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        array = take(self, shape, dtype)
        taken.append(array.nbytes)
        return array

    monkeypatch.setattr(Buffers, "take", counted)
    fresh, made = [], []
    with open_source(parse_address(str(clip))) as source:
        for captured in source:
            frame = Frame("cam", 0, 0, 0, 0, 0, None, False, Quality.FINE, captured.picture)
            taken.clear()
            tracemalloc.start()
            try:
                batch = yolo.prepare([View(frame)])
                fresh.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            made.append(sorted(taken))
            # FFmpeg's converted picture is looked at where it lies (its memory is not Python's).
            pixels = captured.picture.bgr()
            assert pixels.nbytes == WIDTH * HEIGHT * 3
            assert not pixels.flags.owndata
            yolo.infer(batch)
    assert len(made) == 8
    # The scaled picture; its three colours apart; the same as four-byte numbers. Nothing else …
    assert made[2:] == [[INPUT, INPUT, 4 * INPUT]] * 6
    # … and nothing fresh but small objects: a copied picture is 2,764,800 bytes, an input 737,280.
    assert max(fresh[2:]) < 60_000, fresh
