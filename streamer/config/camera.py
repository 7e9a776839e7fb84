"""`cameras:`, one camera or recording: where its pictures come from, and what is wanted of it."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from streamer.config.model import DetectorConfig, Model, ModelConfig, wanted_of
from streamer.config.part import Part, beside
from streamer.config.wanted import Classes, Conf, Polygons, check_named
from streamer.looking import Looking
from streamer.sources.address import ALLOWED, parse_address
from streamer.sources.options import TIME, SourceOptions, read_size, read_time


def _source(text: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder")
    try:
        address = parse_address(text, folder)
    except OSError as error:  # a name too long, a folder that nobody may look into
        raise ValueError(f"the file cannot be looked for: {error.strerror}") from None
    return beside(text, info) if address.kind.local else text


def _time(value: object) -> object:
    return read_time(value) if isinstance(value, str) else value


def _size(text: str) -> str:
    read_size(text)
    return text


Time = Annotated[
    Annotated[float, Field(ge=0)] | None,
    BeforeValidator(_time),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}, {"type": "null"}]}),
]


class CameraConfig(Part):
    """A camera or recording."""

    source: Annotated[str, AfterValidator(_source)] = Field(
        description=f"where pictures come from: {ALLOWED}; paths count from this file's folder",
        examples=["rtsp://viewer:${GATE_PASSWORD}@192.0.2.10/stream2", "usb:0", "films/gate.mp4"],
    )
    transport: Literal["tcp", "udp"] = Field(
        default="tcp",
        description="of rtsp://: over udp lost packets damage pictures; some cameras have nothing else",
    )
    isolation: Literal["thread", "process"] = Field(
        default="thread",
        description="process: decode a live source in a process of its own, which may crash alone",
    )
    model: Model | None = Field(default=None, description="instead of the top-level one, as a whole")
    classes: Classes | None = Field(
        default=None,
        description="labels that are reported, instead of the model's; null: as the model says",
        examples=[["person", "dog"]],
    )
    conf: Conf | None = Field(
        default=None,
        description="the score that a thing has to be above: a number instead of the model's, or scores of "
        "some classes, where what is not named stays as the model says; `default` stands for all others",
        examples=[0.4, {"person": 0.6}],
    )
    region: Polygons | None = Field(
        default=None,
        description="a polygon, or a list of polygons: [x, y] from 0 (left, top) to 1 (right, bottom) of the "
        "picture. What stands outside is not reported; a thing stands where the middle of its box's lower "
        "edge is",
        examples=[[[0.1, 0.2], [0.9, 0.2], [0.5, 1]]],
    )
    look_at: Literal["picture", "region"] = Field(
        default="picture",
        description="region: the network sees only the rectangle round the region and a tenth of the picture "
        "on each side, larger than it would be in the whole picture",
    )
    max_fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="take no more frames a second from the camera, for anything",
        examples=[10],
    )
    detect_fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="have the detector look at no more of them a second",
        examples=[5],
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

    from_: Time = Field(
        default=None, alias="from", description=f"of a recording: nothing before this time; {TIME}"
    )
    to: Time = Field(default=None, description=f"of a recording: nothing from this time on; {TIME}")
    decode: Literal["all", "key"] = Field(
        default="all", description="key: nothing but keyframes is decoded, for a fraction of the work"
    )
    size: Annotated[str, AfterValidator(_size)] | None = Field(
        default=None,
        description="of a USB camera: the size that it is asked for, WIDTHxHEIGHT; null: 1280x720, or "
        "640x480 where it sends uncompressed pictures",
        examples=["1280x720"],
    )
    fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="of a USB camera: the rate that it is asked for; null: 30",
        examples=[30],
    )

    @property
    def options(self) -> SourceOptions:
        """How its source is to be read."""
        return SourceOptions(
            live=self.live,
            transport=self.transport,
            decode=self.decode,
            from_s=self.from_,
            to_s=self.to,
            size=read_size(self.size) if self.size is not None else None,
            fps=self.fps,
        )

    def looking(self, model: ModelConfig | DetectorConfig) -> Looking:
        """What is wanted of it, where `model` is its own or the top-level one."""
        return wanted_of(model, self.classes, self.conf, region=self.region, look_at=self.look_at)

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
    def _refuse_wishes_that_say_nothing(self) -> Self:
        check_named(self.conf, self.classes)
        if self.look_at == "region" and self.region is None:
            raise ValueError("look_at: region needs a region: a list of points [x, y]")
        return self

    @model_validator(mode="after")
    def _refuse_a_rate_never_reached(self) -> Self:
        if self.max_fps and self.detect_fps and self.detect_fps > self.max_fps:
            raise ValueError(
                f"detect_fps is {self.detect_fps:g}, and max_fps leaves only {self.max_fps:g}; "
                f"allowed: {self.max_fps:g} or less"
            )
        return self
