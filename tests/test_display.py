"""Is there a display? A variable that is set says nothing: somebody has to answer."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer import display
from streamer.setup.wishes import usual_sink
from tests.running import ROOT
from tests.served_display import serving

pytestmark = [
    pytest.mark.timeout(30),
    pytest.mark.skipif(sys.platform != "linux", reason="displays elsewhere are the system's own"),
]
NUMBER = 20_000 + os.getpid() % 20_000  # above those of real servers, and of ports


def said(name: str) -> str:
    return display.missing({"DISPLAY": name})


@pytest.fixture
def port() -> Iterator[int]:
    """Of somebody who listens where remote X servers do."""
    for number in range(100, 2000):
        try:
            with socket.create_server(("127.0.0.1", 6000 + number)):
                yield number
                return
        except OSError:
            continue


def test_nothing_is_set() -> None:
    assert display.missing({}) == "DISPLAY is not set"
    assert display.missing({"DISPLAY": ""}) == "DISPLAY is not set"


def test_wayland_alone_is_none() -> None:
    assert "Wayland alone" in display.missing({"WAYLAND_DISPLAY": "wayland-0"})


def test_one_on_this_machine() -> None:
    names = [f"{before}:{NUMBER}{after}" for before in ("", "unix", "unix/") for after in ("", ".0")]
    assert [said(name) for name in names] == [f"nobody serves DISPLAY={name}" for name in names]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0/tmp/.X11-unix/X{NUMBER}")
        server.listen()
        assert [said(name) for name in names] == [""] * 6


def test_one_that_is_named_by_its_path(tmp_path: Path) -> None:
    with serving(tmp_path / "X") as name:
        assert not said(name)
    assert said(name), "the file is still there, and nobody listens"


def test_one_on_another_machine(port: int) -> None:
    assert [said(f"{host}:{port}.0") for host in ("127.0.0.1", "localhost", "tcp/localhost", "")] == [""] * 4
    assert said(f"unix/:{port}"), "that asks for no port"
    assert said(f"127.0.0.1:{port + 2000}")


@pytest.mark.parametrize(
    "name",
    [
        "x",
        ":",
        ":x",
        "host",
        ":99999",
        "127.0.0.1:99999",
        ":-1",
        "/nowhere/" + "x" * 200,
        "h" * 300 + ":0",
        "::0",
    ],
)
def test_what_names_none(name: str) -> None:
    assert said(name) == f"nobody serves DISPLAY={name}"


def test_one_that_does_not_answer_is_waited_for_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose queue is full, and a name that nobody tells."""
    monkeypatch.setattr(display, "ANSWERS_S", 0.1)
    monkeypatch.setattr(display, "REMOTE_S", 0.2)
    began_s = time.monotonic()
    with socket.socket(socket.AF_UNIX) as full:
        name = f"\0/tmp/.X11-unix/X{NUMBER}"
        full.bind(name)
        full.listen(0)
        with socket.socket(socket.AF_UNIX) as only:
            only.connect(name)
            assert said(f"unix/:{NUMBER}")
    held = socket.socketpair()

    def slow(*_: object, **__: object) -> None:
        held[0].recv(1)
        raise OSError("at last")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert said("somewhere.invalid:0")
    for one in reversed(held):  # and so the one that asks ends
        one.close()
    assert time.monotonic() - began_s < 5


def test_init_chooses_no_window_where_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "X") as name:
        monkeypatch.setenv("DISPLAY", name)
        assert usual_sink() == "window"
    assert usual_sink() == "jsonl"


def test_asking_loads_nothing_heavy() -> None:
    code = "import sys; from streamer import display; display.missing(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "cv2"} & set(loaded.stdout.split())
