"""What can be fetched: names, hashes, licences and where each file comes from."""

import difflib
import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

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
    labels: Sequence[str] = ()  # what weights recognise, by number; empty where it is not known here


@functools.cache
def catalogue() -> Mapping[str, Asset]:
    """Every asset by its name, in alphabetical order."""
    rows = tomllib.loads(resources.files("streamer.assets").joinpath("catalogue.toml").read_text("utf-8"))
    return MappingProxyType({name: _asset(name, **rows[name]) for name in sorted(rows)})


def _asset(name: str, labels: Sequence[str] = (), **row: Any) -> Asset:
    return Asset(name=name, labels=tuple(labels), **row)


def find(name: str, kind: str | None = None) -> Asset:
    """The asset of this name. Raises ConfigError that names the nearest ones, of this `kind` only."""
    known = catalogue()
    if name in known:
        return known[name]
    wanted = [asset.name for asset in known.values() if kind in (None, asset.kind)]
    near = difflib.get_close_matches(name, wanted)
    hint = f"did you mean {' or '.join(near)}? It has" if near else "it has"
    raise ConfigError(f"the catalogue has no {name!r}: {hint} {', '.join(wanted)}.")
