"""Assets out of a package, where their maker cannot be reached."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import shelves
from shelves import CONTENT, FETCHER, ROOT, leftovers, place_of, put_wheel, tiny

from streamer.assets import fetch
from streamer.errors import AssetError

empty_cache, shelf = shelves.empty_cache, shelves.shelf


def test_the_package_serves_where_the_maker_cannot_be_reached(shelf: Path) -> None:
    put_wheel(shelf, CONTENT)
    asset = tiny()
    crumb = place_of(asset).parent / "package-of-a-killed-process"
    crumb.mkdir(parents=True)
    assert fetch(asset).read_bytes() == CONTENT
    assert leftovers(asset) == {"tiny.bin"}
    assert "tiny_parcel" not in sys.modules


@pytest.mark.parametrize(
    ("member", "path", "text"),
    [
        (CONTENT[:-1] + b"!", "tiny_parcel/tiny.bin", "expected SHA-256"),
        (CONTENT, "tiny_parcel/other.bin", "there is no tiny_parcel/tiny.bin in it"),
        (b"\0" * 50_000_000, "tiny_parcel/tiny.bin", "has 50000000 bytes, expected 512000"),
    ],
)
def test_a_package_with_something_else_in_it_is_refused(
    shelf: Path, member: bytes, path: str, text: str
) -> None:
    put_wheel(shelf, member, path)
    asset = tiny()
    with pytest.raises(AssetError, match=text):
        fetch(asset)
    assert leftovers(asset) == set()


def test_a_damaged_archive_is_refused(shelf: Path) -> None:
    put_wheel(shelf, CONTENT)
    wheel = next(shelf.iterdir())
    content = bytearray(wheel.read_bytes())
    content[200:220] = bytes(20)  # within the member's packed bytes; pip reads the metadata only
    wheel.write_bytes(content)
    with pytest.raises(AssetError, match="its archive is damaged"):
        fetch(tiny())


def test_a_registry_without_the_package_is_named_and_no_password_with_it(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(
        AssetError, match=r"(?s)the package tiny-parcel==1\.0: pip failed: .*tiny-parcel"
    ) as caught:
        fetch(tiny())
    assert "hunter2" not in str(caught.value)


def test_a_pip_that_crashed_is_quoted_with_its_cause(shelf: Path) -> None:
    put_wheel(shelf, CONTENT)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + FETCHER, json.dumps(dataclasses.asdict(tiny()))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert re.search(r"pip failed: .*File too large", done.stdout)


def test_a_python_without_pip_says_so(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(AssetError, match=r"has no pip to fetch it with: run .*-m ensurepip"):
        fetch(tiny())


def test_a_pip_in_the_current_folder_is_not_run(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("open('was-run', 'w')")
    monkeypatch.chdir(tmp_path)
    put_wheel(shelf, CONTENT)
    assert fetch(tiny()).read_bytes() == CONTENT
    assert not (tmp_path / "was-run").exists()
