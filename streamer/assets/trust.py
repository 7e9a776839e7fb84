"""A weights file is code: unpickling it runs whatever its maker wanted. So its hash is looked at first."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.assets.cache import sha256_of
from streamer.assets.catalogue import catalogue
from streamer.errors import AssetError


def read_weights(path: Path, *, trust_weights: bool) -> tuple[bytes, str]:
    """The file's bytes and their SHA-256, if they are trusted: unpickle these bytes, never the path.

    Read once, so that nobody can swap the file between the look and the load. Raises AssetError
    where the hash is neither in the catalogue nor `trust_weights` given, or nothing can be read.
    """
    with _reading(path):
        content = path.read_bytes()
    return content, _judge(path, hashlib.sha256(content).hexdigest(), trust_weights)


def verify_weights(path: Path, *, trust_weights: bool) -> str:
    """The file's SHA-256 if it is trusted: an early look; whoever loads it calls `read_weights`.

    Raises AssetError as `read_weights` does.
    """
    with _reading(path):
        found = sha256_of(path)
    return _judge(path, found, trust_weights)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        # A pipe would block for ever, a device never end.
        if not path.is_file():
            raise AssetError(
                f"there is no weights file {path}; `freshframe models list` shows what can be fetched"
            )
        yield
    except OSError as error:
        raise AssetError(f"cannot read the weights {path}: {error.strerror}") from error


def _judge(path: Path, found: str, trust_weights: bool) -> str:
    known = [asset for asset in catalogue().values() if asset.kind == "weights"]
    if trust_weights or any(asset.sha256 == found for asset in known):
        return found
    namesake = next((f", which has {a.sha256} for {a.file}" for a in known if a.file == path.name), "")
    raise AssetError(
        f"{path} is not loaded: its SHA-256 {found} is not in the catalogue{namesake}. "
        "A weights file is code that runs when it is loaded: give --trust-weights (in a configuration "
        "trust_weights: true) only if you know where this one comes from."
    )
