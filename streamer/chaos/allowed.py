"""Values out of a plain tree, each held against what is allowed; what is wrong is collected."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from streamer.config.hidden import shown
from streamer.config.problems import KeyPath, Problem, unknown_key


class Allowed:
    """Reads values by key. What is not allowed is a problem, and something harmless is read instead."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, path: KeyPath, text: str) -> None:
        self.problems.append(Problem(path, text))

    def wrong(self, path: KeyPath, found: object, allowed: str) -> None:
        self.refuse(path, f"found {shown(found)}; allowed: {allowed}")

    def mapping(
        self, value: Any, path: KeyPath, keys: Sequence[str], *, or_else: str = ""
    ) -> TypeGuard[dict[str, Any]]:
        """Whether it is a mapping; unknown keys in it are refused."""
        if not isinstance(value, dict):
            self.wrong(path, value, f"{or_else}a mapping with {', '.join(keys)}")
            return False
        for key in value.keys() - set(keys):
            self.refuse((*path, key), unknown_key(key, keys))
        return True

    def number(self, tree: Mapping[str, Any], path: KeyPath, key: str, low: float, high: float) -> float:
        """A number that must be there."""
        value = tree.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            self._missing_or_wrong(tree, path, key, f"a number of seconds from {low:g} to {high:g}")
            return low
        if not low <= value <= high:
            self.wrong((*path, key), value, f"{low:g} to {high:g}")
            return low
        return float(value)

    def whole(
        self, tree: Mapping[str, Any], path: KeyPath, key: str, low: int, high: int, *, default: int = 0
    ) -> int:
        """A whole number."""
        value = tree.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.wrong((*path, key), value, f"a whole number from {low} to {high}")
            return low
        return value

    def text(self, tree: Mapping[str, Any], path: KeyPath, key: str) -> str | None:
        """Text that is not empty; None where there is none."""
        value = tree.get(key)
        if key in tree and not (isinstance(value, str) and value.strip()):
            self.wrong((*path, key), value, "text that is not empty")
            return None
        return value

    def one_of(self, tree: Mapping[str, Any], path: KeyPath, key: str, values: Sequence[str]) -> Any:
        """One of some words; the first is the default."""
        value = tree.get(key, values[0])
        if value not in values:
            self.wrong((*path, key), value, " or ".join(values))
            return values[0]
        return value

    def _missing_or_wrong(self, tree: Mapping[str, Any], path: KeyPath, key: str, allowed: str) -> None:
        if key in tree:
            self.wrong((*path, key), tree[key], allowed)
        else:
            self.refuse((*path, key), f"missing; it must be given, {allowed}")
