"""`model:`, a network by name, or a detector of one's own."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from streamer.config.part import CLASS, Part, beside
from streamer.config.wanted import DEFAULT_CONF, Classes, Conf, check_named, wanted
from streamer.looking import Looking

DEVICE = r"^(auto|cpu|cuda:[0-9]{1,3})$"


def _network(name: str, info: ValidationInfo) -> str:
    is_file = name.endswith((".pt", ".onnx")) or "/" in name or os.sep in name
    return beside(name, info) if is_file else name


class ModelConfig(Part):
    """A network out of the catalogue or of a file."""

    name: Annotated[str, Field(min_length=1), AfterValidator(_network)] = Field(
        default="yolo26n",
        description="a name that `freshframe models list` shows, or a .pt or .onnx file",
        examples=["yolo26n", "models/best.onnx"],
    )
    imgsz: int = Field(
        default=640,
        ge=32,
        le=4096,
        multiple_of=32,
        description="longer side of what the network sees, pixels, a multiple of 32: more finds smaller "
        "things, and is slower",
        examples=[320, 640, 1280],
    )
    conf: Conf = Field(
        default=DEFAULT_CONF,
        description="the score that a thing has to be above: a number, or one for each class, where "
        "`default` stands for the others",
        examples=[0.25, {"default": 0.25, "person": 0.5}],
    )
    classes: Classes | None = Field(
        default=None, description="labels that are reported; null: all", examples=[["person", "car"]]
    )
    engine: Literal["auto", "onnx", "torch", "openvino", "openvino-int8"] = Field(
        default="auto", description="auto: torch on a GPU, else onnx; the openvino ones are extras"
    )
    device: str = Field(
        default="auto", pattern=DEVICE, description="auto, cpu or cuda:N", examples=["auto", "cuda:0"]
    )
    trust_weights: bool = Field(default=False, description="load an unknown file, which can run any code")

    @model_validator(mode="after")
    def _refuse_an_idle_score(self) -> Self:
        check_named(self.conf, self.classes)
        return self


class DetectorConfig(Part):
    """A detector of one's own."""

    model_config = ConfigDict(extra="allow")

    use: str = Field(
        pattern=CLASS,
        description="module:Class, looked for beside this file too; the remaining keys are its arguments",
        examples=["mine:Bright"],
    )

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


def wanted_of(
    model: ModelConfig | DetectorConfig,
    classes: tuple[str, ...] | None = None,
    conf: float | Mapping[str, float] | None = None,
    *,
    region: Any = None,
    look_at: Any = "picture",
) -> Looking:
    """What is wanted of a model by a camera that says so much; the rest is as the model says."""
    if isinstance(model, DetectorConfig):  # whose own arguments are none of ours
        return wanted(classes, conf, region=region, look_at=look_at)
    return wanted(classes or model.classes, DEFAULT_CONF, model.conf, conf, region=region, look_at=look_at)
