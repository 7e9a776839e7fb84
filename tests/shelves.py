"""Where assets come from: their maker's server, a shelf of packages, and processes that fetch."""

import dataclasses
import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.assets import Asset, cache_folder

ROOT = Path(__file__).resolve().parents[1]
CONTENT = bytes(range(256)) * 2000  # 512 kB: several chunks

# Fetches the asset given as JSON and says each thing that it is told, and each chunk's bytes.
FETCHER = """
import json, sys
from streamer.assets import Asset, fetch
from streamer.errors import AssetError
def say(step):
    print(step.text if step.done_bytes is None else step.done_bytes, flush=True)
try:
    print("got", fetch(Asset(**json.loads(sys.argv[1])), progress=say), flush=True)
except AssetError as error:
    print("refused", " ".join(str(error).split()), flush=True)
"""


class Maker(http.server.ThreadingHTTPServer):
    """A maker's server that knows ranges, and can be told to misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content = CONTENT
        self.cut: int | None = None  # break off after so many bytes of an answer
        self.gate = threading.Event()  # what comes after `cut` waits for this, where `hold` is set
        self.hold = False
        self.ranged = True
        self.sized = True  # says the length
        self.missing = False
        self.asked: list[str | None] = []  # the Range header of each request

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/tiny.bin"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Maker

    def do_GET(self) -> None:
        maker, wanted = self.server, self.headers["Range"]
        maker.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and maker.ranged else 0
        if maker.missing:
            self.send_error(404)
            return
        if start and start >= len(maker.content):
            self.send_error(416)
            return
        body = maker.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(maker.content) - 1}/{len(maker.content)}")
        if maker.sized:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if maker.cut is not None:
            self.wfile.write(body[: maker.cut])
            if not maker.hold:
                return
            maker.gate.wait(30)
            body = body[maker.cut :]
        try:
            self.wfile.write(body)
        except OSError:
            return  # the asking process was killed

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def maker() -> Iterator[Maker]:
    with Maker() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join(10)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache; no proxy to this machine."""
    monkeypatch.setenv("FRESHFRAME_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder of wheels that pip knows."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def put_wheel(shelf: Path, member: bytes, path: str = "tiny_parcel/tiny.bin") -> None:
    info = "tiny_parcel-1.0.dist-info"
    with zipfile.ZipFile(shelf / "tiny_parcel-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(path, member)
        wheel.writestr("tiny_parcel/__init__.py", "raise SystemExit('a package was imported')")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-parcel\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def tiny(address: str = "", **changes: object) -> Asset:
    """An asset of CONTENT; without an address its maker's server refuses connections."""
    if not address:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{closed.getsockname()[1]}/tiny.bin"
    asset = Asset(
        name="tiny",
        kind="clip",
        file="tiny.bin",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        licence="CC0",
        made_by="these tests",
        address=address,
        package="tiny-parcel",
        version="1.0",
        member="tiny_parcel/tiny.bin",
        about="nothing",
    )
    return dataclasses.replace(asset, **changes)  # type: ignore[arg-type]


def place_of(asset: Asset) -> Path:
    return cache_folder() / "assets" / asset.sha256[:12] / asset.file


def leftovers(asset: Asset) -> set[str]:
    return {entry.name for entry in place_of(asset).parent.iterdir()} - {"tiny.bin.lock"}


def start(asset: Asset) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", FETCHER, json.dumps(dataclasses.asdict(asset))],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def read_until(process: "subprocess.Popen[str]", wanted: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if wanted in line:
            return line.strip()
    pytest.fail(f"{wanted!r} was never said")
