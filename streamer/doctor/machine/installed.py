"""What is installed, and what Freshframe's own metadata ask for: there is no second list of versions."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

OURS = "freshframe"
_REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;\s*(.*))?"
)
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")

VersionOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A distribution, the oldest version that will do, and the extra that wants it."""

    name: str
    at_least: str | None = None
    exactly: str | None = None
    extra: str | None = None


def version_of(name: str) -> str | None:
    """The installed version of a distribution, None where there is none that can be read."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
    except Exception:  # metadata that are damaged may raise anything
        return None


def requirements(name: str = OURS) -> tuple[Requirement, ...]:
    """What a distribution asks for by its metadata; nothing where it is not installed."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return ()
    return tuple(one for one in map(_requirement, lines) if one is not None)


def _requirement(line: str) -> Requirement | None:
    match = _REQUIREMENT.fullmatch(line)
    if match is None:
        return None
    extra = _EXTRA.search(match[3] or "")
    bounds = dict(re.findall(r"(>=|==)\s*([0-9][\w.!+-]*)", match[2]))
    name = re.sub(r"[-_.]+", "-", match[1]).lower()
    return Requirement(name, bounds.get(">="), bounds.get("=="), extra[1] if extra else None)


def older(found: str, wanted: str) -> bool:
    """Whether a version comes before another one, by its numbers (PEP 440's release segment)."""
    return _release(found) < _release(wanted)


def same_release(found: str, wanted: str) -> bool:
    """Whether they are the same but for a build's name, as in 2.13.0+cpu."""
    return _release(found) == _release(wanted)


def _release(version: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version.partition("!")[2] or version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
