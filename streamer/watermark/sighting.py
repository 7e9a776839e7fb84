"""What was seen where and when: one watermark, out of a message or a picture."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streamer.contracts import Captured
from streamer.errors import ConfigError
from streamer.watermark.mark import Mark
from streamer.watermark.reading import Reading, read
from streamer.wire import DetectionsMessage, MessageError

WATERMARK, TORN = "watermark", "torn"  # the oracle's labels


@dataclass(frozen=True, slots=True)
class Sighting:
    """One frame that somebody had in hand."""

    camera: str  # the name under which it was seen
    reading: Reading
    captured_ns: int | None = None  # monotonic, as the frame itself says; None: not known
    published_ns: int | None = None


def in_messages(messages: Iterable[DetectionsMessage]) -> Iterator[Sighting]:
    """What the oracle saw, one for each message, in order. Raises MessageError for a text that is no mark."""
    for message in messages:
        yield Sighting(
            message.camera,
            _reading(message),
            message.captured_mono_ns,
            message.captured_mono_ns + round(message.latency_ms.total * 1e6),
        )


def in_pictures(camera: str, pictures: Iterable[Captured]) -> Iterator[Sighting]:
    """What is in a recording's pictures; when they were captured is not known."""
    for captured in pictures:
        yield Sighting(camera, read(captured.picture.bgr()))


def _reading(message: DetectionsMessage) -> Reading:
    for thing in message.detections:
        if thing.text is None or thing.label not in (WATERMARK, TORN):
            continue
        try:
            marks = [Mark.parse(text) for text in thing.text.split(" ")]
        except ConfigError as error:
            raise MessageError(f"camera {message.camera}, seq {message.seq}: {error}") from error
        if len(marks) == (1 if thing.label == WATERMARK else 2):
            return Reading(marks[0], marks[-1])
        raise MessageError(f"camera {message.camera}, seq {message.seq}: {len(marks)} marks, {thing.label}")
    return Reading(None, None)
