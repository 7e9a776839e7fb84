"""What may be shown of a value that somebody wrote: never a password."""

import re

from streamer.sources.redaction import HIDDEN as MASK
from streamer.sources.redaction import redact

__all__ = ["MASK", "names_a_secret", "redacted", "shown"]

_SHOWN_CHARACTERS = 60

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SECRET_KEY = re.compile(r"pass|pwd|token|secret|key|auth|credential|curve", re.IGNORECASE)


def names_a_secret(key: str) -> bool:
    """True where a key's name says that its value is nobody's business."""
    return _SECRET_KEY.search(key) is not None


def redacted(text: str) -> str:
    """The text without user names and passwords, also where it is only nearly a URL."""
    before, at, after = text.rpartition("@")
    if at and ":" in before:  # admin:secret@camera/stream too
        scheme = _SCHEME.match(before)
        text = f"{scheme.group() if scheme else ''}{MASK}@{after}"
    return redact(text)


def shown(value: object) -> str:
    """A found value in a few characters; of lists and mappings only what they are."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value} (a number)"
        case str():
            text = redacted(value)
            return repr(text[:_SHOWN_CHARACTERS]) + ("…" if len(text) > _SHOWN_CHARACTERS else "")
        case dict():
            return "a mapping" if value else "an empty mapping"
        case _:
            return "a list" if value else "an empty list"
