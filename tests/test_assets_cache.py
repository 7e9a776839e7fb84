"""The cache of assets: shared by processes, damaged, full; and which weights are trusted."""

import dataclasses
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import shelves
from shelves import CONTENT, FETCHER, ROOT, Maker, place_of, read_until, start, tiny

from streamer.assets import Asset, cache_folder, cached, fetch, find, read_weights, sha256_of, verify_weights
from streamer.errors import AssetError

Process = subprocess.Popen[str]
empty_cache, maker, shelf = shelves.empty_cache, shelves.maker, shelves.shelf


@contextmanager
def fetching(asset: Asset, maker: Maker) -> Iterator[tuple[Process, Process]]:
    """A process that is held in the middle of its download, and one that waits for it."""
    maker.cut, maker.hold = 100_000, True
    with start(asset) as first:
        read_until(first, "65536")
        with start(asset) as second:
            read_until(second, "another process is fetching it")
            yield first, second


@pytest.mark.timeout(60)
def test_of_two_processes_one_downloads_and_both_get_it(maker: Maker, shelf: Path) -> None:
    asset = tiny(maker.address)
    with fetching(asset, maker) as (first, second):
        maker.gate.set()
        assert read_until(second, "got") == read_until(first, "got") == f"got {place_of(asset)}"
    assert maker.asked == [None]
    assert place_of(asset).read_bytes() == CONTENT


@pytest.mark.timeout(60)
def test_who_waits_goes_on_where_a_killed_process_was(maker: Maker, shelf: Path) -> None:
    asset = tiny(maker.address)
    with fetching(asset, maker) as (first, second):
        first.kill()
        maker.gate.set()
        assert read_until(second, "got") == f"got {place_of(asset)}"
    assert maker.asked[1] in ("bytes=65536-", "bytes=100000-")
    assert len(maker.asked) == 2
    assert place_of(asset).read_bytes() == CONTENT


def test_offline_asks_nobody_and_says_what_to_do(maker: Maker) -> None:
    asset = tiny(maker.address)
    with pytest.raises(AssetError, match=r"not in the cache .* Run `freshframe models pull tiny`"):
        fetch(asset, offline=True)
    assert maker.asked == []
    assert not cache_folder().exists()


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], CONTENT[:-1] + b"!", CONTENT + b"!"])
def test_a_damaged_file_in_the_cache_is_never_used(maker: Maker, damage: bytes) -> None:
    asset = tiny(maker.address)
    fetch(asset).write_bytes(damage)
    assert cached(asset) is None
    with pytest.raises(AssetError, match=f"damaged in the cache .*expected SHA-256 {asset.sha256}, found"):
        fetch(asset, offline=True)
    assert fetch(asset).read_bytes() == CONTENT
    assert len(maker.asked) == 2


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FRESHFRAME_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(AssetError, match=r"cannot write .*file.cache.*set FRESHFRAME_CACHE"):
        fetch(tiny(maker.address))
    assert maker.asked == []


def test_a_full_disk_is_said_and_asking_again_goes_on(maker: Maker, shelf: Path) -> None:
    asset = tiny(maker.address)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + FETCHER, json.dumps(dataclasses.asdict(asset))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert re.search(r"refused cannot write .*tiny\.bin\.part: File too large\. Make room", done.stdout)
    assert done.stderr == ""
    assert fetch(asset).read_bytes() == CONTENT
    assert maker.asked == [None, "bytes=100000-"]


# Trust


class Canary:
    """Once unpickled, it makes a file: what a hostile .pt could do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_untrusted_weights_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    weights, canary = tmp_path / "yolo26n.pt", tmp_path / "canary"
    weights.write_bytes(pickle.dumps(Canary(canary)))
    found = sha256_of(weights)
    for look in (read_weights, verify_weights):
        with pytest.raises(AssetError, match=f"{found} is not in the catalogue, .*--trust-weights") as caught:
            look(weights, trust_weights=False)
        assert find("yolo26n").sha256 in str(caught.value)
    assert verify_weights(weights, trust_weights=True) == found
    content, sha256 = read_weights(weights, trust_weights=True)
    assert sha256 == found
    assert not canary.exists()
    pickle.loads(content)
    assert canary.exists()  # it would have sung


def test_only_weights_of_the_catalogue_are_trusted_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "any.pt").write_bytes(CONTENT)
    for kind in ("clip", "weights"):
        known = {"tiny": tiny("http://127.0.0.1/", kind=kind)}
        monkeypatch.setattr("streamer.assets.trust.catalogue", lambda known=known: known)
        if kind == "clip":
            with pytest.raises(AssetError, match="not loaded"):
                read_weights(tmp_path / "any.pt", trust_weights=False)
        else:
            content = read_weights(tmp_path / "any.pt", trust_weights=False)
            assert content == (CONTENT, known["tiny"].sha256)


def test_weights_that_are_no_file_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.pt"
    os.mkfifo(pipe)
    for path in (tmp_path / "none.pt", tmp_path, pipe, Path("/dev/zero")):
        for look in (read_weights, verify_weights):
            with pytest.raises(AssetError, match=f"no weights file {re.escape(str(path))}"):
                look(path, trust_weights=True)
