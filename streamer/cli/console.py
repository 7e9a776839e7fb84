"""What people read goes to stderr: stdout belongs to results."""

import logging
import sys
from contextlib import suppress

from streamer.sources.redaction import redact

LINE = "\n"


def shown(text: str, keep: str = "") -> str:
    """A text that may come from anywhere, for people: no password in it, and nothing drives the terminal."""
    text = redact(text)
    return "".join(
        letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text
    )


def say(text: str) -> None:
    """One message to the user."""
    with suppress(OSError):  # where nobody can be told, the exit status has to do
        sys.stderr.write(f"freshframe: {shown(text, keep=LINE)}\n")
        sys.stderr.flush()


class Redacting(logging.Formatter):
    """Log records as messages to the user; also the traceback of a bug holds no password."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record), keep=LINE)


def log_to(stream_handler: logging.Handler) -> logging.Handler:
    """Send what the pipeline logs to this handler; returns it, for `quiet`."""
    stream_handler.setFormatter(Redacting("freshframe: %(message)s"))
    logger = logging.getLogger("freshframe")
    logger.addHandler(stream_handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return stream_handler


def quiet(handler: logging.Handler) -> None:
    """Undo `log_to`."""
    logger = logging.getLogger("freshframe")
    logger.addHandler(logging.NullHandler())  # what a thread that was given up still says is for nobody
    logger.removeHandler(handler)
