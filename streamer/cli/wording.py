"""Counts, times and reasons as people read them."""

from collections.abc import Mapping
from typing import TypeVar

Word = TypeVar("Word", bound=str)


def listed(counts: Mapping[Word, int], width: int | None = None) -> str:
    """Counts, the largest first: "3 person, 1 car"; where `width` is too small for all, "3 person +1"."""
    parts = [f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1])]
    text = ", ".join(parts)
    while width is not None and len(text) > width and len(parts) > 1:
        parts.pop()
        text = f"{', '.join(parts)} +{len(counts) - len(parts)}"
    return text


def counted(count: int, thing: str) -> str:
    """As in "1 camera", "2 cameras"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def plural(count: int, one: str, several: str) -> str:
    """The same for words whose plural is another."""
    return f"{count} {one if count == 1 else several}"


def clipped(name: str, width: int) -> str:
    """A name in so many letters: the middle goes, for where names are alike they differ at the end."""
    if len(name) <= width:
        return name
    tail = (width - 1) * 2 // 3
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"


def span(seconds: float) -> str:
    """A length of time in four letters at most: 7s, 12m, 3h, 20d."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def without_address(why: str) -> str:
    """The reason alone: which camera it is stands beside it, and the address in the message."""
    address, colon, reason = why.partition(": ")
    return reason if colon and " " not in address else why


def milliseconds(value: float | None) -> str:
    """As a whole number; a dash where there is nothing."""
    return "–" if value is None else f"{value:.0f}"


def with_unit(ms: float | None) -> str:
    """In six letters, as far as it goes: 21 ms, 1.5 s; a dash where there is nothing."""
    if ms is None:
        return milliseconds(ms)
    return f"{ms:.0f} ms" if ms < 999.5 else f"{ms / 1000:.1f} s"


def left_behind(threads: int) -> str:
    """How many threads hang in native code."""
    return "a hung thread was left behind" if threads == 1 else f"{threads} hung threads were left behind"
