"""`model:`, a network by name, or a detector of one's own."""

import os
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
)

from streamer.config.part import CLASS, Part, beside

DEVICE = r"^(auto|cpu|cuda:[0-9]{1,3})$"


def _network(name: str, info: ValidationInfo) -> str:
    is_file = name.endswith((".pt", ".onnx")) or "/" in name or os.sep in name
    return beside(name, info) if is_file else name


Label = Annotated[str, Field(min_length=1)]
Classes = Annotated[tuple[Label, ...], Field(strict=False, min_length=1)]


class ModelConfig(Part):
    """A network out of the catalogue or of a file."""

    name: Annotated[str, Field(min_length=1), AfterValidator(_network)] = Field(
        default="yolo26n", description="a name that `freshframe models list` shows, or a .pt or .onnx file"
    )
    imgsz: int = Field(default=640, ge=32, le=4096, multiple_of=32, description="longer input side, pixels")
    conf: float = Field(default=0.25, ge=0, le=1, description="lowest score that is reported")
    classes: Classes | None = Field(default=None, description="labels that are reported; null: all")
    engine: Literal["auto", "onnx", "torch", "openvino", "openvino-int8"] = "auto"
    device: str = Field(default="auto", pattern=DEVICE, description="auto, cpu or cuda:N")
    trust_weights: bool = Field(default=False, description="load an unknown file, which can run any code")


class DetectorConfig(Part):
    """A detector of one's own."""

    model_config = ConfigDict(extra="allow")

    use: str = Field(pattern=CLASS, description="module:Class; the remaining keys are its arguments")

    def arguments(self) -> dict[str, Any]:
        """What its constructor gets."""
        return self.model_dump(exclude={"use"})


def _kind_of_model(value: Any) -> str:
    own = "use" in value if isinstance(value, dict) else isinstance(value, DetectorConfig)
    return "own detector" if own else "model"


def _from_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Model = Annotated[
    Annotated[ModelConfig, Tag("model")] | Annotated[DetectorConfig, Tag("own detector")],
    Discriminator(_kind_of_model),
    BeforeValidator(_from_name, json_schema_input_type=str | ModelConfig | DetectorConfig),
]
