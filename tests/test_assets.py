"""Assets: what is fetched is what the catalogue promises, whatever happens on the way."""

import argparse
import dataclasses
import hashlib
import http.server
import json
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamer.assets.maker
from streamer.assets import (
    Asset,
    Step,
    cache_folder,
    cached,
    catalogue,
    fetch,
    find,
    read_weights,
    sha256_of,
    verify_weights,
)
from streamer.cli.models import add_parser
from streamer.errors import AssetError, ConfigError

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
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


# The catalogue


def test_the_catalogue_is_complete_and_pinned() -> None:
    assert list(catalogue()) == ["bikes", "plates", "yolo26n"]
    for name, asset in catalogue().items():
        assert asset.name == name
        assert re.fullmatch(r"[0-9a-f]{64}", asset.sha256)
        assert asset.size > 0
        assert asset.address.startswith("https://")
        assert asset.file == Path(asset.file).name
        assert re.fullmatch(r"\d+(\.\d+)+", asset.version)
    assert len({asset.sha256[:12] for asset in catalogue().values()}) == len(catalogue())


def test_an_unknown_name_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(ConfigError, match="no 'yolo26': did you mean yolo26n"):
        find("yolo26")
    with pytest.raises(ConfigError, match=r"no '\.\./x': it has bikes, plates, yolo26n"):
        find("../x")


def test_the_cache_is_the_users_own_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRESHFRAME_CACHE")
    assert cache_folder().is_absolute()
    assert cache_folder().name.lower() == "freshframe"


# From the maker


def test_the_makers_address_is_asked_first_and_once(maker: Maker, shelf: Path) -> None:
    asset, steps = tiny(maker.address), list[Step]()
    path = fetch(asset, progress=steps.append)
    assert path == place_of(asset) == cached(asset)
    assert path.read_bytes() == CONTENT
    assert leftovers(asset) == {"tiny.bin"}
    moved = [step.done_bytes for step in steps if step.done_bytes is not None]
    assert moved == sorted(moved)
    assert moved[-1] == asset.size
    assert len({step.text for step in steps}) == 2  # one line at the start, one at the end
    assert fetch(asset, offline=True) == path
    assert len(maker.asked) == 1


@pytest.mark.parametrize("ranged", [True, False])
def test_a_download_that_broke_off_goes_on_when_asked_again(maker: Maker, shelf: Path, ranged: bool) -> None:
    maker.cut, maker.ranged = 200_000, ranged
    asset = tiny(maker.address)
    with pytest.raises(
        AssetError, match=r"(?s)broke off after 200000 of 512000 .*freshframe models pull tiny"
    ):
        fetch(asset)
    assert cached(asset) is None
    maker.cut = None
    assert fetch(asset).read_bytes() == CONTENT
    assert maker.asked == [None, "bytes=200000-"]
    assert leftovers(asset) == {"tiny.bin"}


def test_a_killed_process_leaves_nothing_that_is_believed(maker: Maker, shelf: Path) -> None:
    maker.cut, maker.hold = 300_000, True
    asset = tiny(maker.address)
    with start(asset) as process:
        read_until(process, "262144")
        process.kill()
    assert cached(asset) is None
    maker.gate.set()
    maker.cut = None
    assert fetch(asset).read_bytes() == CONTENT
    assert maker.asked[1] in ("bytes=262144-", "bytes=300000-")


def test_a_finished_part_needs_no_download(maker: Maker) -> None:
    asset = tiny(maker.address)
    part = place_of(asset).with_name("tiny.bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert fetch(asset).read_bytes() == CONTENT
    assert maker.asked == []


@pytest.mark.parametrize("left", [b"\0" * 200_000, b"\0" * len(CONTENT), b"\0" * (len(CONTENT) + 1)])
def test_a_part_of_something_else_never_gets_through(maker: Maker, shelf: Path, left: bytes) -> None:
    asset = tiny(maker.address)
    part = place_of(asset).with_name("tiny.bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    if len(left) <= len(CONTENT):
        with pytest.raises(
            AssetError, match=f"expected SHA-256 {asset.sha256}, found [0-9a-f]+; thrown away"
        ):
            fetch(asset)
        assert leftovers(asset) == set()
    assert fetch(asset).read_bytes() == CONTENT


def test_wrong_bytes_are_thrown_away_and_the_package_is_asked(maker: Maker, shelf: Path) -> None:
    maker.content = CONTENT[:-1] + b"!"
    put_wheel(shelf, CONTENT)
    asset, said = tiny(maker.address), list[str]()
    assert fetch(asset, progress=lambda step: said.append(step.text)).read_bytes() == CONTENT
    assert leftovers(asset) == {"tiny.bin"}
    assert any(f"expected SHA-256 {asset.sha256}, found" in text for text in said)


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("content", [CONTENT + b"!", CONTENT[:-1], b""])
def test_a_file_of_another_length_is_refused(maker: Maker, shelf: Path, sized: bool, content: bytes) -> None:
    maker.content, maker.sized = content, sized
    asset = tiny(maker.address, package="not-on-the-shelf")
    with pytest.raises(AssetError, match=r"offers \d+ bytes|more than the expected|broke off after"):
        fetch(asset)
    assert cached(asset) is None
    assert leftovers(asset) <= {"tiny.bin.part"}


def test_an_error_page_is_a_refusal(maker: Maker, shelf: Path) -> None:
    maker.missing = True
    with pytest.raises(AssetError, match=r"127\.0\.0\.1:\d+: answered 404 Not Found"):
        fetch(tiny(maker.address))
    assert leftovers(tiny(maker.address)) == set()


@pytest.mark.timeout(20)
def test_a_server_that_never_shakes_hands_costs_the_connect_limit(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert streamer.assets.maker.CONNECT_S == 3
    monkeypatch.setattr(streamer.assets.maker, "CONNECT_S", 0.2)
    put_wheel(shelf, CONTENT)
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as mute:
        asset = tiny(f"https://127.0.0.1:{mute.getsockname()[1]}/tiny.bin")
        begun = time.monotonic()
        assert fetch(asset, progress=lambda step: said.append(step.text)).read_bytes() == CONTENT
    assert time.monotonic() - begun < 10
    assert any("cannot be reached" in text for text in said)


# Out of a package


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


# The cache


@pytest.mark.timeout(60)
def test_of_two_processes_one_downloads_and_both_get_it(maker: Maker, shelf: Path) -> None:
    maker.cut, maker.hold = 100_000, True
    asset = tiny(maker.address)
    with start(asset) as first:
        read_until(first, "65536")
        with start(asset) as second:
            read_until(second, "another process is fetching it")
            maker.gate.set()
            assert read_until(second, "got") == read_until(first, "got") == f"got {place_of(asset)}"
    assert maker.asked == [None]
    assert place_of(asset).read_bytes() == CONTENT


@pytest.mark.timeout(60)
def test_who_waits_goes_on_where_a_killed_process_was(maker: Maker, shelf: Path) -> None:
    maker.cut, maker.hold = 100_000, True
    asset = tiny(maker.address)
    with start(asset) as first:
        read_until(first, "65536")
        with start(asset) as second:
            read_until(second, "another process is fetching it")
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


# The command line


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["models", *words])
    status: int = args.run(args)
    return status


def test_models_list_cuts_nothing_off_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "kind", "size", "licence", "cached", "about"]
    assert len(lines) == 1 + len(catalogue())
    for line, asset in zip(lines[1:], catalogue().values(), strict=True):
        assert line.split()[0] == asset.name
        assert f"{asset.licence} " in line
        assert asset.about in line
        assert " no " in line


def test_models_path_and_pull(
    maker: Maker, shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asset = tiny(maker.address)
    monkeypatch.setattr(sys.modules["streamer.assets.catalogue"], "catalogue", lambda: {"tiny": asset})
    assert run("path", "tiny") == 2
    assert "freshframe models pull tiny" in capsys.readouterr().err
    assert run("pull", "--offline", "tiny") == 2
    assert "freshframe models pull tiny" in capsys.readouterr().err
    assert run("pull", "tiny", "tinny") == 2
    assert "did you mean tiny?" in capsys.readouterr().err
    assert maker.asked == []
    assert run("pull", "tiny") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split()[1] for line in told.err.splitlines()] == ["fetching", "ready:"]
    assert run("path", "tiny") == 0
    assert capsys.readouterr().out == f"{place_of(asset)}\n"


def test_a_refused_pull_is_text_and_the_others_are_still_pulled(
    maker: Maker, shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assets = {"gone": tiny(name="gone", sha256="0" * 64), "tiny": tiny(maker.address)}
    monkeypatch.setattr(sys.modules["streamer.assets.catalogue"], "catalogue", lambda: assets)
    assert run("pull", "gone", "tiny") == 2
    text = capsys.readouterr().err
    assert "gone could not be fetched" in text
    assert "Traceback" not in text
    assert cached(assets["tiny"])


def test_a_terminal_gets_a_bar(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asset = tiny(maker.address)
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setattr(sys.modules["streamer.assets.catalogue"], "catalogue", lambda: {"tiny": asset})
    assert run("pull", "tiny") == 0
    told = capsys.readouterr()
    assert "512.0/512.0 kB" in told.err
    assert told.out == ""


# The real thing


def test_the_default_model_really_comes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pull", "yolo26n") == 0
    asset = find("yolo26n")
    content, sha256 = read_weights(fetch(asset, offline=True), trust_weights=False)
    assert (len(content), sha256) == (asset.size, asset.sha256)
