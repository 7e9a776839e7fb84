"""Questions on a terminal, each with a default that Enter takes; or nobody is asked."""

import getpass
import sys
from collections.abc import Callable
from typing import TypeVar

from streamer.cli.console import LINE, shown
from streamer.errors import ConfigError

T = TypeVar("T")


class Unattended:
    """Nobody is there: every default is taken."""

    attended = False

    def tell(self, text: str) -> None:
        _write(f"{text}\n")

    def ask(self, question: str, default: str, read: Callable[[str], T]) -> T:  # noqa: ARG002 - nobody is asked
        return read(default)

    def secret(self, question: str) -> str:  # noqa: ARG002 - nobody is asked
        return ""


class Terminal:
    """Asks on stderr and reads stdin. The end of input (Ctrl-D) is as good as Ctrl-C: KeyboardInterrupt."""

    attended = True

    def tell(self, text: str) -> None:
        _write(f"{text}\n")

    def ask(self, question: str, default: str, read: Callable[[str], T]) -> T:
        return _answered(lambda: read(_printable(_line(f"{question} [{default}] ").strip()) or default))

    def secret(self, question: str) -> str:
        return _answered(lambda: _printable(getpass.getpass(f"{question} ", sys.stderr)))


def _answered(ask: Callable[[], T]) -> T:
    """Ask until there is an answer. Raises KeyboardInterrupt where the input ends."""
    while True:
        try:
            return ask()
        except (ConfigError, UnicodeDecodeError) as error:
            _write(f"  {error if isinstance(error, ConfigError) else 'that is no text'}\n")
        except EOFError:
            _write("\n")
            raise KeyboardInterrupt from None


def _line(prompt: str) -> str:
    _write(prompt)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ConfigError("it has characters in it that are not printable")
    return text


def _write(text: str) -> None:
    """Cameras may call themselves anything: nothing drives the terminal, and no password is shown."""
    sys.stderr.write(shown(text, keep=LINE))
    sys.stderr.flush()
