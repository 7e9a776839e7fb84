"""Something that began, went on or ended in front of a camera."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Event:
    """One step in an event's life, as it stands in messages. Nothing in the pipeline makes events yet."""

    type: Literal["new", "update", "end"]
    id: str
    camera: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
