"""Assets: what is fetched is what the catalogue promises, whatever happens on the way."""

import argparse
import re
import socket
import sys
import time
from pathlib import Path

import pytest
import shelves
from shelves import CONTENT, Maker, leftovers, place_of, put_wheel, read_until, start, tiny

import streamer.assets.maker
from streamer.assets import Step, cache_folder, cached, catalogue, fetch, find, read_weights
from streamer.cli.models import add_parser
from streamer.errors import AssetError, ConfigError

empty_cache, maker, shelf = shelves.empty_cache, shelves.maker, shelves.shelf


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
