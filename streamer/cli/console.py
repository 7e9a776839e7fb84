"""What people read goes to stderr: stdout belongs to results."""

import logging
import sys
from collections.abc import Iterable
from contextlib import suppress

from streamer.cli.speaker import Aside, Speaker, Unbuffered
from streamer.sources.redaction import SHORTEST_HIDDEN, hide, redact

LINE = "\n"
_hidden: frozenset[str] = frozenset()


def conceal(values: Iterable[str]) -> None:
    """Show none of these from now on, whoever says them; they came from the environment."""
    global _hidden  # noqa: PLW0603 - what a process may not say is one thing
    _hidden = frozenset(value for value in values if len(value) >= SHORTEST_HIDDEN)


def shown(text: str, keep: str = "") -> str:
    """A text that may come from anywhere, for people: no password in it, and nothing drives the terminal."""
    text = hide(redact(text), _hidden)
    return "".join(
        letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text
    )


def say(text: str) -> None:
    """One message to the user."""
    with suppress(OSError):  # where nobody can be told, the exit status has to do
        sys.stderr.write(message(text))
        sys.stderr.flush()


def message(text: str) -> str:
    """One message to the user, as it is written: each line of it says whose it is."""
    return "".join(f"freshframe: {line}\n" for line in shown(text, keep=LINE).split(LINE))


class Redacting(logging.Formatter):
    """Log records as messages to the user; also the traceback of a bug holds no password."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record), keep=LINE)


def log_to(handler: logging.Handler) -> Aside:
    """Have a speaker send what the pipeline logs to this handler; returns what `quiet` wants.

    Whoever logs does not wait for whoever reads.
    """

    def missing(count: int) -> None:
        text = f"freshframe: lines left out here, for nobody read them in time: {count}"
        handler.emit(logging.makeLogRecord({"msg": text, "levelno": logging.WARNING, "levelname": "WARNING"}))

    aside = Aside(handler, Speaker(missing))
    aside.setFormatter(Redacting("freshframe: %(message)s"))
    logger = logging.getLogger("freshframe")
    logger.addHandler(aside)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return aside


def quiet(aside: Aside) -> None:
    """Undo `log_to`; what was logged is said, as far as somebody reads it soon."""
    logger = logging.getLogger("freshframe")
    logger.addHandler(logging.NullHandler())  # what a thread that was given up still says is for nobody
    logger.removeHandler(aside)
    aside.speaker.close()


def lines_to_stderr() -> logging.Handler:
    """A handler that writes plain lines there."""
    return logging.StreamHandler(Unbuffered(sys.stderr))
