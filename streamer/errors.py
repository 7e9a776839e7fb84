"""What can go wrong, as a tree.

FreshframeError
├── ConfigError     what a user wrote: file, key path, what was found, what is allowed
├── SourceError     a camera or recording: which one, the cause in one human sentence
├── Stale           a picture that was overwritten before it was read
├── DetectorError   a model or its device, and what to do
├── SinkError       which sink, and why it cannot write
│   ├── Unwritten   one result of one camera; the sink itself goes on
│   └── SinkGone    whoever it writes for has gone for good
├── AssetError      a file of the catalogue: which one, expected and found hash
└── StopAsked       whoever watches has asked for the end of the run: no failure

Most also derive from the natural builtin, so that callers who know nothing of Freshframe can
still catch it. An error's text is for the user's eyes: it names the thing, what was found, what is
allowed and what to do, and it never holds a password.
"""

from enum import StrEnum

MOST_TEXT = 2000  # characters of somebody else's error


def text_of(error: BaseException) -> str:
    """What it says, of any length and kind: somebody else's exception may fail even at that."""
    try:
        return str(error)[:MOST_TEXT] or type(error).__name__
    except BaseException:
        return f"{type(error).__name__}, which has no text"


def followed_by(said: str, more: str) -> str:
    """Both in one line; after a question a sentence begins."""
    return f"{said} {more.capitalize()}" if said.endswith("?") else f"{said}; {more}"


class FreshframeError(Exception):
    """Any error that Freshframe raises on purpose; its text can be shown to the user as it is."""


class ConfigError(FreshframeError, ValueError):
    """Something a user wrote cannot be used: a flag, a key, an address."""


class Cause(StrEnum):
    """Why a source gave up; decides whether and how fast a live camera is tried again."""

    AUTH = "password"  # refused by user name or password: fast retries lock accounts
    NOT_FOUND = "not found"  # no such file, path or device
    CODEC = "codec"  # nothing in it that we can decode
    NETWORK = "network"  # refused, unknown host, reset
    SILENCE = "silence"  # connected, but nothing comes
    LATE = "late"  # connected, but what comes lies ever further behind
    ENDED = "ended"  # the stream said that it is over
    DAMAGED = "damaged"  # a recording that breaks off or is damaged beyond use
    CRASH = "crash"  # the process that decodes it died
    DEVICE = "device"  # a camera of this computer was unplugged, or another program holds it

    @property
    def failed(self) -> bool:
        """True where trying again soon is useless: somebody has to change something first."""
        return self in (Cause.AUTH, Cause.NOT_FOUND, Cause.CODEC)


class SourceError(FreshframeError, OSError):
    """A source cannot deliver. `cause` says which kind of trouble, the text says it in a sentence.

    `advice` is what to do about it, where that is not what helps with most of this cause.
    """

    def __init__(self, cause: Cause, text: str, advice: str = "") -> None:
        super().__init__(text)
        self.cause = cause
        self.advice = advice

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class Stale(FreshframeError):
    """The picture's buffer was overwritten before it was read; the frame must be counted as dropped."""


class DetectorError(FreshframeError, RuntimeError):
    """A detector cannot be loaded or run."""


class SinkError(FreshframeError, RuntimeError):
    """A sink cannot be opened or written."""


class Unwritten(SinkError):
    """One result that a sink could not write, of one camera: the sink itself goes on and need not be left."""


class SinkGone(SinkError):
    """Whoever a sink writes for has gone for good; trying again is useless."""


class AssetError(FreshframeError, RuntimeError):
    """A file of the catalogue is not there, cannot be fetched, or is not what it should be."""


class StopAsked(FreshframeError):
    """A sink raises it where whoever watches wants the run to end, as by closing a window: no failure."""
