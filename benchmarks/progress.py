"""One line on a terminal that says what is being measured."""

import sys


def tell(text: str) -> None:
    """Replace the line; nothing where stderr is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
