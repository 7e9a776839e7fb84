"""The keys of a configuration, their types and bounds."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from streamer.config.camera import CameraConfig
from streamer.config.model import DetectorConfig, Model, ModelConfig
from streamer.config.part import Part, wrong_at
from streamer.config.sink import JsonlConfig, Sink, SinkConfig, VideoConfig
from streamer.config.wanted import check_named

__all__ = ["NAME", "CameraConfig", "Config", "DetectorConfig", "ModelConfig", "SinkConfig"]

NAME = r"^[A-Za-z0-9_-]{1,64}$"


class Config(Part):
    """Everything that `freshframe run` needs to know."""

    model: Model = Field(
        default=ModelConfig(),
        description="what recognises: a name that `freshframe models list` shows, a mapping, or a detector "
        "of one's own (use: module:Class)",
        examples=["yolo26n", {"name": "yolo26n", "imgsz": 640, "classes": ["person", "car"]}],
    )
    cameras: Mapping[Annotated[str, Field(pattern=NAME)], CameraConfig] = Field(
        min_length=1,
        description="each under a name of your own: letters, digits, _ and -",
        examples=[{"gate": {"source": "rtsp://viewer:${GATE_PASSWORD}@192.0.2.10/stream2"}}],
        json_schema_extra={"additionalProperties": False},
    )
    sinks: Annotated[tuple[Sink, ...], Field(strict=False)] = Field(
        default=(),
        description="where results go: zmq, jsonl, video, window, or a sink of one's own (use: module:Class)",
        examples=[[{"use": "jsonl", "path": "detections.jsonl"}]],
    )

    @model_validator(mode="after")
    def _refuse_scores_of_what_is_left_out(self) -> Self:
        for name, camera in self.cameras.items():
            model = camera.model or self.model
            if camera.classes is None and isinstance(model, ModelConfig):
                try:
                    check_named(camera.conf, model.classes)
                except ValueError as error:
                    raise wrong_at(("cameras", name), str(error)) from error
        return self

    @model_validator(mode="after")
    def _refuse_shared_files(self) -> Self:
        written: set[str] = set()
        for number, sink in enumerate(self.sinks):
            place = ("sinks", number, "path")
            if isinstance(sink, VideoConfig) and len(self.cameras) > 1 and "{camera}" not in sink.path:
                raise wrong_at(place, "it needs {camera} in it where there are several cameras")
            if isinstance(sink, (JsonlConfig, VideoConfig)):
                files = {sink.path}
                if isinstance(sink, VideoConfig):
                    files = {sink.path.replace("{camera}", name) for name in self.cameras}
                if files & written:
                    raise wrong_at(place, "another sink writes to the same file; give each its own")
                written |= files
        return self
