"""What leaves the process: messages of one versioned schema, as JSON or msgpack."""

from streamer.wire.coding import Encoding, MessageError, decode, encode, read_jsonl, split, topic
from streamer.wire.messages import (
    HEALTH_SCHEMA,
    SCHEMA,
    DetectionsMessage,
    HealthMessage,
    Latency,
    Model,
    Thing,
)
from streamer.wire.telling import SESSION, WallClock, health_message, message

__all__ = [
    "HEALTH_SCHEMA",
    "SCHEMA",
    "SESSION",
    "DetectionsMessage",
    "Encoding",
    "HealthMessage",
    "Latency",
    "MessageError",
    "Model",
    "Thing",
    "WallClock",
    "decode",
    "encode",
    "health_message",
    "message",
    "read_jsonl",
    "split",
    "topic",
]
