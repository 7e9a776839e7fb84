"""Questions on a terminal, each with a default that Enter takes; or nobody is asked."""

import getpass
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import TypeVar

from streamer.cli.console import LINE, shown
from streamer.errors import ConfigError

T = TypeVar("T")
COLUMNS = 80  # where there is no terminal
NARROWEST = 40


class Unattended:
    """Nobody is there: every default is taken."""

    attended = False

    def tell(self, text: str) -> None:
        _tell(text)

    def ask(self, question: str, default: str, read: Callable[[str], T]) -> T:  # noqa: ARG002 - nobody is asked
        return read(default)

    def secret(self, question: str) -> str:  # noqa: ARG002 - nobody is asked
        return ""


class Terminal:
    """Asks on stderr and reads stdin. The end of input (Ctrl-D) is as good as Ctrl-C: KeyboardInterrupt."""

    attended = True

    def tell(self, text: str) -> None:
        _tell(text)

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
            _tell(f"  {error if isinstance(error, ConfigError) else 'that is no text'}")
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


def _tell(text: str) -> None:
    """Lines as wide as the terminal; what a line goes on with stands further in. No word is cut."""
    width = max(NARROWEST, shutil.get_terminal_size((COLUMNS, 24)).columns)
    for line in shown(text, keep=LINE).split(LINE):
        indent = line[: len(line) - len(line.lstrip())]
        wrapped = textwrap.wrap(
            *(line, width),
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        _write("".join(f"{one}\n" for one in wrapped or [""]))


def _write(text: str) -> None:
    """Cameras may call themselves anything: nothing drives the terminal, and no password is shown."""
    sys.stderr.write(shown(text, keep=LINE))
    sys.stderr.flush()
