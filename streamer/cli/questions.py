"""Questions on a terminal, each with a default that Enter takes; or nobody is asked."""

import getpass
import sys
from collections.abc import Callable
from typing import Never, TypeVar

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
        while True:
            _write(f"{question} [{default}] ")
            line = sys.stdin.readline()
            if not line:
                _end()
            try:
                return read(line.strip() or default)
            except ConfigError as error:
                _write(f"  {error}\n")

    def secret(self, question: str) -> str:
        try:
            return getpass.getpass(f"{question} ", sys.stderr)
        except EOFError:
            _end()


def _end() -> Never:
    _write("\n")
    raise KeyboardInterrupt


def _write(text: str) -> None:
    """Cameras may call themselves anything: nothing drives the terminal, and no password is shown."""
    sys.stderr.write(shown(text, keep=LINE))
    sys.stderr.flush()
