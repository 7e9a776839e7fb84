"""What to recognise, and where results go: the two questions that are not about cameras."""

from collections.abc import Sequence

from streamer import display
from streamer.assets import find
from streamer.errors import ConfigError
from streamer.looking import Looking, check_known

MODEL = "yolo26n"
# The kinds of things that people watch for, of the 80 that the default network knows (COCO).
USUAL = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "cat", "dog")
ALL = "all"
SINKS = {
    "window": "a window on this screen",
    "jsonl": "one JSON message a line, in detections.jsonl",
    "zmq": "messages to programs on this machine, at tcp://127.0.0.1:5555",
    "video": "a film of each camera, with boxes drawn",
}


def classes(text: str) -> tuple[str, ...] | None:
    """Labels that are reported; None for all. Raises ConfigError."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if names in ((), (ALL,)):
        return None
    check_known(Looking(names), find(MODEL).labels, MODEL)
    return names


def sinks(text: str) -> tuple[str, ...]:
    """Short names of sinks. Raises ConfigError."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    wrong = [name for name in names if name not in SINKS]
    if wrong or not names:
        raise ConfigError(f"results to {', '.join(wrong) or 'nowhere'}: allowed: {', '.join(SINKS)}")
    return names


def usual_sink() -> str:
    """A window where there is a display, or else a file."""
    return "jsonl" if display.missing() else "window"


def as_text(names: Sequence[str] | None) -> str:
    """As a user would type it."""
    return ALL if names is None else ", ".join(names)
