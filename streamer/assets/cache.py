"""Where fetched files lie, and how one gets there: whole and with the right hash, or not at all."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import filelock
import platformdirs

from streamer.assets.catalogue import Asset
from streamer.errors import AssetError


class NotServed(AssetError):
    """One of the places that an asset can come from did not deliver it; the text says why."""


def cache_folder() -> Path:
    """FRESHFRAME_CACHE, or else the user's cache folder of this platform."""
    folder = os.environ.get("FRESHFRAME_CACHE") or platformdirs.user_cache_dir("freshframe", appauthor=False)
    try:
        return Path(folder).expanduser().absolute()
    except RuntimeError as error:
        raise AssetError(f"FRESHFRAME_CACHE={folder}: {error}; give a folder that can be written") from error


def place(asset: Asset) -> Path:
    """Where this asset lies once it is there; another hash is another folder."""
    return cache_folder() / "assets" / asset.sha256[:12] / asset.file


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached(asset: Asset) -> Path | None:
    """The asset's path, or None where it is missing, unreadable or damaged. Hashes it every time."""
    path = place(asset)
    try:
        whole = path.stat().st_size == asset.size and sha256_of(path) == asset.sha256
    except OSError:
        return None
    return path if whole else None


def absence(asset: Asset) -> str:
    """Why `cached` gave None, in a few words for the user."""
    path = place(asset)
    try:
        return f"damaged in the cache ({path}: expected SHA-256 {asset.sha256}, found {sha256_of(path)})"
    except FileNotFoundError:
        return f"not in the cache ({path})"
    except OSError as error:
        return f"not readable in the cache ({path}: {error.strerror})"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say what to do where the cache cannot be written. Raises AssetError."""
    try:
        yield
    except OSError as error:
        raise AssetError(
            f"cannot write {path}: {error.strerror or error}. Make room there, "
            "or set FRESHFRAME_CACHE to a folder that can be written."
        ) from error


@contextmanager
def saving(path: Path, mode: Literal["wb", "ab"]) -> Iterator[Callable[[bytes], None]]:
    """Open a file of the cache and yield the function that writes to it. Both raise AssetError.

    Unbuffered, so that what came before a kill need not come again.
    """
    with writing(path):
        file = path.open(mode, buffering=0)

    def write(chunk: bytes) -> None:
        rest = memoryview(chunk)
        with writing(path):
            while rest:  # a disk that is nearly full takes a part first
                rest = rest[file.write(rest) :]

    with file:
        yield write


@contextmanager
def claimed(asset: Asset, wait: Callable[[], object]) -> Iterator[Path]:
    """Hold this asset's folder against all other threads and processes; yields the folder.

    `wait` is called once, before blocking, where somebody else holds it. The system lets go of the
    lock when its holder dies. Raises AssetError where the cache cannot be written.
    """
    path = place(asset)
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"))
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            wait()
            lock.acquire()
    try:
        yield path.parent
    finally:
        lock.release()


def adopt(asset: Asset, file: Path) -> Path:
    """Move a fetched file, on the same disk, to its place if it is the asset; else throw it away.

    Raises NotServed where its hash is wrong, AssetError where the cache cannot be written.
    """
    with writing(file):
        found = sha256_of(file)
        if found != asset.sha256:
            file.unlink()
        else:
            with file.open("rb+") as written:
                os.fsync(written.fileno())
            file.replace(place(asset))
    if found != asset.sha256:
        raise NotServed(f"expected SHA-256 {asset.sha256}, found {found}; thrown away")
    return place(asset)
