"""Messages as bytes, JSON or msgpack, and back; topics; files of JSON lines."""

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import msgspec

from streamer.errors import FreshframeError
from streamer.wire.messages import HEALTH_SCHEMA, SCHEMA, DetectionsMessage, HealthMessage

Encoding = Literal["json", "msgpack"]


class MessageError(FreshframeError, ValueError):
    """Bytes that are no message of ours."""


class _Headed(msgspec.Struct):
    schema: str


def encode(item: DetectionsMessage | HealthMessage, encoding: Encoding = "json") -> bytes:
    """The message as bytes, without topic or line end."""
    payload: bytes = _ENCODERS[encoding].encode(item)
    return payload


def decode(payload: bytes) -> DetectionsMessage | HealthMessage:
    """The message in these bytes, JSON or msgpack; unknown keys are ignored. Raises MessageError."""
    # A JSON object begins with a brace, which is a number in msgpack: no message begins with one.
    head, decoders = _FROM_JSON if payload.lstrip()[:1] == b"{" else _FROM_MSGPACK
    what = " or ".join(decoders)
    try:
        schema = head.decode(payload).schema
        decoder = decoders.get(schema)
        if decoder is None:
            raise MessageError(f"not a {what} message, but {schema[:64]!r}")
        what = schema
        item: DetectionsMessage | HealthMessage = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not a {what} message: {error}") from error
    return item


def topic(kind: Literal["det", "event", "health"], camera: str) -> bytes:
    """What a subscription matches. The zero byte ends it, so that cam1 never receives cam10."""
    return f"{kind}.{camera}\0".encode("ascii")


def split(packet: bytes) -> tuple[str, bytes]:
    """Topic and payload of one ZeroMQ frame. Raises MessageError."""
    head, zero, payload = packet.partition(b"\0")
    if not zero or not head.isascii():
        raise MessageError("a packet without a topic")
    return head.decode("ascii"), payload


def read_jsonl(path: str | PathLike[str]) -> Iterator[DetectionsMessage]:
    """The messages of a JSON-lines file, in order.

    A last line without its end is what a killed writer left: it is passed over. Raises MessageError
    with the number of any other line that is no message.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                item = decode(line)
            except MessageError as error:
                raise MessageError(f"{path}, line {number}: {error}") from error
            if not isinstance(item, DetectionsMessage):
                raise MessageError(f"{path}, line {number}: not a {SCHEMA} message, but {item.schema!r}")
            yield item


_ENCODERS: Mapping[str, Any] = {"json": msgspec.json.Encoder(), "msgpack": msgspec.msgpack.Encoder()}
_FROM_JSON: tuple[Any, Mapping[str, Any]] = (
    msgspec.json.Decoder(_Headed),
    {
        SCHEMA: msgspec.json.Decoder(DetectionsMessage),
        HEALTH_SCHEMA: msgspec.json.Decoder(HealthMessage),
    },
)
_FROM_MSGPACK: tuple[Any, Mapping[str, Any]] = (
    msgspec.msgpack.Decoder(_Headed),
    {
        SCHEMA: msgspec.msgpack.Decoder(DetectionsMessage),
        HEALTH_SCHEMA: msgspec.msgpack.Decoder(HealthMessage),
    },
)
