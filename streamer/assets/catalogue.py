"""What can be fetched: names, hashes, licences and where each file comes from."""

import difflib
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Literal

from streamer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the catalogue. Its hash is what is trusted, wherever the bytes come from."""

    name: str  # what users call it
    kind: Literal["weights", "clip"]
    file: str  # what it is called on disk
    sha256: str  # 64 lower-case hexadecimal digits
    size: int  # bytes
    licence: str
    made_by: str
    address: str  # the maker's own, asked first
    package: str  # carries the file, as name and exact version
    version: str
    member: str  # the file's path within the package's wheel
    about: str


@functools.cache
def catalogue() -> Mapping[str, Asset]:
    """Every asset by its name, in alphabetical order."""
    rows = tomllib.loads(resources.files("streamer.assets").joinpath("catalogue.toml").read_text("utf-8"))
    return MappingProxyType({name: Asset(name=name, **rows[name]) for name in sorted(rows)})


def find(name: str) -> Asset:
    """The asset of this name. Raises ConfigError that names the nearest ones."""
    known = catalogue()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ConfigError(f"the catalogue has no {name!r}: {hint}It has {', '.join(known)}.")
