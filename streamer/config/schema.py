"""The keys of a configuration, their types and bounds."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from streamer.config.model import DetectorConfig, Model, ModelConfig
from streamer.config.part import Part, beside
from streamer.config.sink import JsonlConfig, Sink, SinkConfig, VideoConfig
from streamer.sources.address import ALLOWED, Kind, parse_address
from streamer.sources.options import SourceOptions

__all__ = ["NAME", "CameraConfig", "Config", "DetectorConfig", "ModelConfig", "SinkConfig"]

NAME = r"^[A-Za-z0-9_-]{1,64}$"


def _source(text: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder")
    try:
        address = parse_address(text, folder)
    except OSError as error:  # a name too long, a folder that nobody may look into
        raise ValueError(f"the file cannot be looked for: {error.strerror}") from None
    return beside(text, info) if address.kind in (Kind.FILE, Kind.PICTURES) else text


class CameraConfig(Part):
    """A camera or recording."""

    source: Annotated[str, AfterValidator(_source)] = Field(description=ALLOWED)
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="of RTSP")
    isolation: Literal["thread", "process"] = Field(
        default="thread",
        description="process: decode a live source in a process of its own, which may crash alone",
    )
    model: Model | None = Field(default=None, description="instead of the top-level one, as a whole")
    max_fps: float | None = Field(
        default=None, gt=0, le=1000, description="take no more frames a second from the camera, for anything"
    )
    detect_fps: float | None = Field(
        default=None, gt=0, le=1000, description="have the detector look at no more of them a second"
    )
    detect: Literal["always", "on_motion"] = Field(
        default="always",
        description="on_motion: look only at frames in which something moved since the last look, "
        "for a second after that, and every ten seconds",
    )
    live: bool | None = Field(
        default=None,
        description="true: play a file in real time and drop what is late; null: every frame of it",
    )

    @property
    def options(self) -> SourceOptions:
        """How its source is to be read."""
        return SourceOptions(live=self.live, transport=self.transport)

    @model_validator(mode="after")
    def _refuse_to_lose_what_is_wanted(self) -> Self:
        live = self.live if self.live is not None else parse_address(self.source).live
        if self.isolation == "process" and not live:
            raise ValueError(
                "isolation: process drops what comes too late, and of a recording every frame is wanted; "
                "add live: true, or leave isolation out"
            )
        return self

    @model_validator(mode="after")
    def _refuse_a_rate_never_reached(self) -> Self:
        if self.max_fps and self.detect_fps and self.detect_fps > self.max_fps:
            raise ValueError(
                f"detect_fps is {self.detect_fps:g}, and max_fps leaves only {self.max_fps:g}; "
                f"allowed: {self.max_fps:g} or less"
            )
        return self


class Config(Part):
    """Everything that `freshframe run` needs to know."""

    model: Model = ModelConfig()
    cameras: Mapping[Annotated[str, Field(pattern=NAME)], CameraConfig] = Field(
        min_length=1, json_schema_extra={"additionalProperties": False}
    )
    sinks: Annotated[tuple[Sink, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _refuse_shared_files(self) -> Self:
        written: set[str] = set()
        for sink in self.sinks:
            if isinstance(sink, VideoConfig) and len(self.cameras) > 1 and "{camera}" not in sink.path:
                raise ValueError("the video sink's path needs {camera} in it where there are several cameras")
            if isinstance(sink, (JsonlConfig, VideoConfig)):
                if sink.path in written:
                    raise ValueError("two sinks write to the same file")
                written.add(sink.path)
        return self
