"""What `synthetic:?size=640x360&fps=30&seed=1&count=N` asks for."""

import re
from dataclasses import dataclass, fields
from urllib.parse import parse_qsl

from streamer.errors import ConfigError

MIN_SIDE_PX, MAX_SIDE_PX = 64, 8192


@dataclass(frozen=True, slots=True)
class Pattern:
    """The parameters of a synthetic camera; `count` None means that it never ends."""

    size: tuple[int, int] = (640, 360)
    fps: float = 30.0
    seed: int = 1
    count: int | None = None


DEFAULT = Pattern()


def parse_pattern(text: str) -> Pattern:
    """Read what follows `synthetic:`. Raises ConfigError naming parameter, found and allowed."""
    if text and not text.startswith("?"):
        raise ConfigError(f"synthetic:{text}: parameters begin with ?, as in synthetic:?size=640x360&fps=30")
    allowed = [field.name for field in fields(Pattern)]
    found: dict[str, str] = {}
    for name, value in parse_qsl(text[1:], keep_blank_values=True):
        if name not in allowed:
            raise ConfigError(f"synthetic: knows no parameter {name!r}; allowed: {', '.join(allowed)}")
        if name in found:
            raise ConfigError(f"synthetic: {name} is given twice")
        found[name] = value
    return Pattern(
        size=_size(found["size"]) if "size" in found else DEFAULT.size,
        fps=_fps(found["fps"]) if "fps" in found else DEFAULT.fps,
        seed=_whole("seed", found["seed"], 0, 2**32 - 1) if "seed" in found else DEFAULT.seed,
        count=_whole("count", found["count"], 1, 10**9) if "count" in found else None,
    )


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if match:
        width, height = int(match[1]), int(match[2])
        if min(width, height) >= MIN_SIDE_PX and max(width, height) <= MAX_SIDE_PX:
            return width, height
    raise ConfigError(
        f"synthetic: size={text}: allowed is WIDTHxHEIGHT, each {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels"
    )


def _fps(text: str) -> float:
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) and 0.1 <= float(text) <= 240:
        return float(text)
    raise ConfigError(f"synthetic: fps={text}: allowed is a number from 0.1 to 240")


def _whole(name: str, text: str, low: int, high: int) -> int:
    if re.fullmatch(r"[0-9]{1,10}", text) and low <= int(text) <= high:
        return int(text)
    raise ConfigError(f"synthetic: {name}={text}: allowed is a whole number from {low} to {high}")
