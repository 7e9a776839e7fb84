"""`sinks:`, where results go. What the built-in ones take is known here, so that `check` can say it."""

import ipaddress
import os
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from streamer.config.part import CLASS, Part, beside, refused

CURVE_KEY = r"^[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}$"  # Z85, ZeroMQ RFC 32

BUILT_IN = ("zmq", "jsonl", "video", "window")


def _file(path: str, info: ValidationInfo) -> str:
    if path == "-" or path.endswith(("/", os.sep)):
        raise refused("a file's path")
    return beside(path, info)


def _film(path: str) -> str:
    if not path.lower().endswith(".mp4"):
        raise refused("a path that ends in .mp4")
    return path


def _endpoint(text: str) -> str:
    scheme, _, rest = text.partition("://")
    host, _, port = rest.rpartition(":")
    if not (scheme == "ipc" and rest) and not (
        scheme == "tcp"
        and host
        and re.fullmatch(r"\*|[0-9]{1,5}", port)
        and int(port.replace("*", "0")) < 65536
    ):
        raise refused("tcp://HOST:PORT or ipc://PATH")
    return text


def only_this_machine(endpoint: str) -> bool:
    """True where no other machine can reach it."""
    scheme, _, rest = endpoint.partition("://")
    host = rest.rpartition(":")[0].strip("[]")
    try:
        return scheme == "ipc" or host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class SinkConfig(Part):
    """Where results go; the classes below say more."""

    use: str
    required: bool = Field(default=False, description="end the program when this sink dies")

    def arguments(self) -> dict[str, Any]:
        """What its constructor gets."""
        return self.model_dump(exclude={"use", "required"}, exclude_none=True)


class CurveConfig(Part):
    """ZeroMQ's encryption: this side's secret key and the public keys that may connect."""

    secret_key: str = Field(
        pattern=CURVE_KEY,
        description="this side's, as zmq.curve_keypair() makes it; better from the environment",
        examples=["${ZMQ_SECRET_KEY}"],
    )
    clients: Annotated[
        tuple[Annotated[str, Field(pattern=CURVE_KEY)], ...], Field(strict=False, min_length=1)
    ] = Field(description="public keys that may connect")


class ZmqConfig(SinkConfig):
    """Publish over ZeroMQ."""

    use: Literal["zmq"] = Field(description="publish over ZeroMQ")
    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="tcp://HOST:PORT or ipc://PATH", examples=["tcp://127.0.0.1:5555"]
    )
    encoding: Literal["json", "msgpack"] = Field(default="json", description="msgpack: smaller and faster")
    curve: CurveConfig | None = Field(
        default=None, description="encryption: needed where other machines can reach the endpoint"
    )
    insecure: bool = Field(default=False, description="let anybody in the network read, without keys")

    @model_validator(mode="after")
    def _refuse_an_open_door(self) -> Self:
        if not (only_this_machine(self.endpoint) or self.curve or self.insecure):
            raise ValueError(
                "the endpoint can be reached from other machines: give keys (`curve:` in a configuration), "
                "or allow anybody to read (`insecure: true`, --insecure), or listen on 127.0.0.1"
            )
        return self


class JsonlConfig(SinkConfig):
    """Write one JSON message a line."""

    use: Literal["jsonl"] = Field(description="write one JSON message a line")
    path: Annotated[str, Field(min_length=1), AfterValidator(_file)] = Field(
        description="a file, counted from this one's folder; each run begins it anew",
        examples=["detections.jsonl"],
    )


class VideoConfig(SinkConfig):
    """Write what is seen, with boxes drawn."""

    use: Literal["video"] = Field(description="write what is seen, with boxes drawn")
    path: Annotated[str, Field(min_length=1), AfterValidator(_file), AfterValidator(_film)] = Field(
        description="an .mp4, counted from this file's folder; {camera} in it stands for the camera's name",
        examples=["films/{camera}.mp4"],
    )


class WindowConfig(SinkConfig):
    """Show what is seen in a window on this machine's screen."""

    use: Literal["window"] = Field(description="show it in a window on this machine")
    mode: Literal["exact", "predicted", "latest"] = Field(
        default="predicted",
        description="exact: a picture with its own boxes, so later; predicted: the newest picture, boxes "
        "carried on by their motion; latest: the newest picture, boxes where they were",
    )
    snapshots: Annotated[str, Field(min_length=1), AfterValidator(beside)] | None = Field(
        default=None, description="the folder for pictures kept with the key s; default: where it was started"
    )


def _own_sink(use: str) -> str:
    if not re.fullmatch(CLASS, use):
        raise refused(f"{', '.join(BUILT_IN)}, or module:Class such as mypackage.sinks:Siren")
    return use


class OwnSinkConfig(SinkConfig):
    """A sink of one's own."""

    model_config = ConfigDict(extra="allow")

    use: Annotated[str, AfterValidator(_own_sink)] = Field(
        description="module:Class; the remaining keys are its arguments", json_schema_extra={"pattern": CLASS}
    )

    def arguments(self) -> dict[str, Any]:
        """What its constructor gets: all that was written, null too."""
        return self.model_dump(exclude={"use", "required"})


def _kind_of_sink(value: Any) -> str:
    use = value.get("use") if isinstance(value, dict) else getattr(value, "use", None)
    return use if isinstance(use, str) and use in BUILT_IN else "own sink"


Sink = Annotated[
    Annotated[ZmqConfig, Tag("zmq")]
    | Annotated[JsonlConfig, Tag("jsonl")]
    | Annotated[VideoConfig, Tag("video")]
    | Annotated[WindowConfig, Tag("window")]
    | Annotated[OwnSinkConfig, Tag("own sink")],
    Discriminator(_kind_of_sink),
]
