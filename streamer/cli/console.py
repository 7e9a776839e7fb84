"""What people read goes to stderr: stdout belongs to results."""

import logging
import sys

from streamer.sources.redaction import redact


def say(text: str) -> None:
    """One message to the user, without any password in it."""
    sys.stderr.write(f"freshframe: {redact(text)}\n")
    sys.stderr.flush()


class Redacting(logging.Formatter):
    """Log records as messages to the user; also the traceback of a bug holds no password."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


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
