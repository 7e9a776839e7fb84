"""The cache of models, and the room on the disks."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from streamer.assets.cache import absence, cache_folder, cached, place
from streamer.assets.catalogue import Asset, catalogue
from streamer.doctor.finding import Finding, Section, fact, good, problem, warning
from streamer.doctor.machine.engines import DEFAULT
from streamer.doctor.wording import amount, size_of
from streamer.errors import AssetError

LITTLE_BYTES, NEXT_TO_NOTHING_BYTES = 1e9, 50e6
MOST_ENTRIES = 100_000
ELSEWHERE = "set FRESHFRAME_CACHE to a folder that can be written"


def section() -> Section:
    try:
        folder = cache_folder()
    except AssetError as error:
        return Section("Models", (problem("cache", str(error), ELSEWHERE), _room("working folder", Path())))
    found = [_cache(folder), *map(_asset, catalogue().values()), *_made(folder)]
    found += [_room("disk of the cache", _nearest(folder)), _room("working folder", Path())]
    return Section("Models", tuple(found))


def have(name: str = DEFAULT) -> bool:
    """True where this asset is in the cache, with the right hash."""
    try:
        return cached(catalogue()[name]) is not None
    except AssetError:
        return False


def _cache(folder: Path) -> Finding:
    there = _nearest(folder)
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        made = "" if there == folder else f"{folder} cannot be made: "
        text, advice = f"{made}{there} may not be written", f"let this user write there, or {ELSEWHERE}"
        if have():
            return warning("cache", f"{text}; what is in it is used, and nothing can be added", advice)
        return problem("cache", text, advice)
    if not there.is_dir():
        return problem("cache", f"{folder}: {there} is no folder", ELSEWHERE)
    return good("cache", str(folder) if there == folder else f"{folder}, not made yet")


def _asset(asset: Asset) -> Finding:
    path = cached(asset)
    if path is not None:
        return good(asset.name, f"{size_of(asset.size)}, as it should be")
    pull = f"freshframe models pull {asset.name}"
    if not os.path.lexists(place(asset)):
        text = f"not in the cache ({size_of(asset.size)}; {asset.about})"
        return warning(asset.name, text, pull) if asset.name == DEFAULT else fact(asset.name, text, pull)
    return problem(asset.name, absence(asset), pull)


def _made(folder: Path) -> Iterator[Finding]:
    """What was made on this machine."""
    for name, what in (("engines", "made of weights"), ("measured", "how networks run best here")):
        files = list(_files(folder / name))
        if files:
            size = sum(_size(path) for path in files)
            yield fact(
                name, f"{amount(len(files), 'file')}, {size_of(size)}: {what}, made again when deleted"
            )


def _files(folder: Path) -> Iterator[Path]:
    entries = 0
    for where, _, names in os.walk(folder):
        for name in names:
            entries += 1
            if entries > MOST_ENTRIES:
                return
            if not name.endswith(".lock"):
                yield Path(where) / name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _nearest(folder: Path) -> Path:
    """It, or the nearest one above it that is there."""
    for one in (folder, *folder.parents):
        try:
            one.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:  # it may be there, and nobody may look
            return one
        return one
    return folder


def _room(name: str, folder: Path) -> Finding:
    try:
        where = folder.absolute()
        free = shutil.disk_usage(where).free
    except OSError as error:
        text = f"cannot be looked at ({(error.strerror or type(error).__name__).lower()})"
        return problem(name, text, "change to a folder that is there")
    text = f"{size_of(free)} free ({where})"
    if not os.access(where, os.W_OK):  # some that are read-only say that nothing is free
        return fact(name, f"{where} may not be written")
    if free < NEXT_TO_NOTHING_BYTES:
        return problem(name, text, "make room: nothing can be fetched or written there")
    if free < LITTLE_BYTES:
        return warning(name, text, "make room: models, films and logs want some")
    return good(name, text)
