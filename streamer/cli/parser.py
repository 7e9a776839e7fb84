"""How the words of a command line are read: what is wrong with them is said in a line, not in a page."""

import argparse
import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from streamer.cli.console import say


class Parser(argparse.ArgumentParser):
    """Of the program and, for argparse makes them of the same class, of each command."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"formatter_class": Formatter, **arguments})
        self.register("type", int, _whole)
        self.register("type", float, _number)
        self.set_defaults(parser=self)  # in what was read, the innermost command's

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """What the words mean. Ends the program with status 2 where they mean nothing, or are none."""
        if not words:
            self.print_help(sys.stderr)
            raise SystemExit(2)
        args, unknown = self.parse_known_args(words)
        if unknown:
            args.parser.refuse(unknown[0])
        return args

    def refuse(self, word: str) -> NoReturn:
        """A word that nothing here knows."""
        name = word.partition("=")[0]
        if name.startswith("-"):
            self.error(f"there is no {name}{_meant(name, self._option_string_actions)}")
        self.error(f"{word!r} is a word too many; what has spaces in it wants quotes")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the rest stands, and end with status 2."""
        text = message.removeprefix("argument ").replace("the following arguments are required", "missing")
        say(f"{text} (`{self.prog} --help` tells more)")
        raise SystemExit(2)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        if isinstance(action, argparse._SubParsersAction):
            meant = _meant(value, action.choices) or f"; there are {', '.join(action.choices)}"
            raise argparse.ArgumentError(None, f"there is no command {value!r}{meant}")
        raise argparse.ArgumentError(action, f"found {value!r}; allowed: {', '.join(action.choices)}")


class Formatter(argparse.HelpFormatter):
    """Examples stay as they are written; a text of one line is wrapped."""

    def add_argument(self, action: argparse.Action) -> None:
        """Commands stand further in than argparse counts: the longest ones would have a line of their own."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text.rstrip("\n") if "\n" in text else super()._fill_text(text, width, indent)


def _meant(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed: a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed: a number") from None
