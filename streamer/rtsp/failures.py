"""What can go wrong with an RTSP camera; the source makes sentences of it."""


class Unreadable(ValueError):
    """What came is not RTSP, RTP or SDP as we know it, or is too long."""


class Unsupported(Exception):
    """It can be made sense of, but not by us: another codec, another packetization."""


class Undescribed(Exception):
    """The camera answers, and has no stream to tell of."""


class Refused(Exception):
    """The camera answered with a status that is no success."""

    def __init__(self, status: int, *, asked: bool = False, untold: bool = False) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.asked = asked  # for a password, and there was none to give
        self.untold = untold  # … or there was one that it may not be told itself


class Redirected(Exception):
    """The camera is somewhere else. The text is what the camera says: hostile."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__("redirected")
        self.status = status
        self.location = location


class Silent(Exception):
    """Nothing came for as long as we wait."""

    def __init__(self, *, answered: bool = False) -> None:
        super().__init__("silent")
        self.answered = answered  # before that it did answer


class Stopped(Exception):
    """The source was stopped from outside while it waited."""
