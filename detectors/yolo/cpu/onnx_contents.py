"""What an .onnx file says of itself, read by the onnx library: no engine is loaded for it."""

from pathlib import Path

import onnx

from detectors.yolo.cpu.onnx_file import Contents, Value, check
from streamer.errors import DetectorError

TYPES: dict[int, str] = {onnx.TensorProto.FLOAT: "tensor(float)", onnx.TensorProto.FLOAT16: "tensor(float16)"}


def read_contents(path: Path) -> Contents:
    """The file read without any engine. Raises DetectorError where it is no detection network."""
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's, onnx's, the system's: they share no base but Exception
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        text = f"{path} cannot be loaded; delete it or export it anew: {said}"
        raise DetectorError(text) from error
    kept = {one.name for one in model.graph.initializer}
    inputs = [_value(one) for one in model.graph.input if one.name not in kept]
    metadata = {one.key: one.value for one in model.metadata_props}
    return check(path, inputs, [_value(one) for one in model.graph.output], metadata)


def _value(value: onnx.ValueInfoProto) -> Value:
    tensor = value.type.tensor_type
    sides = [one.dim_value if one.HasField("dim_value") else one.dim_param for one in tensor.shape.dim]
    return Value(value.name, TYPES.get(tensor.elem_type, f"type {tensor.elem_type}"), sides)
