"""How a camera is: what sinks get that want to know more than what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamer.errors import Cause
from streamer.frame import Quality
from streamer.status import Status


@dataclass(frozen=True, slots=True)
class Health:
    """One camera's health as it stands at `at_ns`: whole each time, so that the newest says it all.

    Made whenever something of it changes, and once in a while for those who joined late.
    """

    camera: str
    at_ns: int  # monotonic
    status: Status
    epoch: int  # +1 at each try to connect and each change of size; -1 before the first try
    quality: Quality = Quality.FINE  # what is wrong with its pictures now
    began: Quality = Quality.FINE  # of it, what was not when the message before this one was made
    ended: Quality = Quality.FINE  # what was wrong then, and is no more
    reconnects: Mapping[Cause, int] = field(default_factory=dict)  # connections that were lost or given up
    given_up: int = 0  # threads that hung in native code and were left behind
