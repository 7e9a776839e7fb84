"""The window in a real X server: what it shows, its keys, and what becomes of it when that vanishes."""

import json
import os
import signal
import socket
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from boxes import Keeper, Looker, Stream, until
from numpy.typing import NDArray

from sinks.video import AnnotatedVideo
from sinks.window import Window, child
from sinks.window.tile import AMBER, GREY, RED
from streamer import (
    ArrayPicture,
    Camera,
    Captured,
    Cause,
    ConfigError,
    Pipeline,
    Region,
    SinkError,
    SourceError,
    Stale,
)
from streamer.cli.flags import sinks_from_flags
from tests.running import ROOT, freshframe, started
from tests.screen import Screen

pytestmark = [pytest.mark.debian, pytest.mark.timeout(90)]

COLOURS = {"red": (0, 0, 230), "green": (0, 200, 0), "blue": (220, 40, 0), "white": (255, 255, 255)}
GRID = {
    "red": (300, 190),
    "green": (950, 190),
    "blue": (300, 560),
    "white": (950, 560),
}  # of four
NOTE = (640, 718)  # the upper edge of what is said for a moment


@pytest.fixture(scope="module")
def shared_screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with Screen(tmp_path_factory.mktemp("screen")) as screen:
        yield screen


@pytest.fixture
def screen(shared_screen: Screen, monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", shared_screen.name)
    return shared_screen


@pytest.fixture
def mortal_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """One that may be killed."""
    folder = tmp_path / "screen"
    folder.mkdir()
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with Screen(folder) as screen:
        monkeypatch.setenv("DISPLAY", screen.name)
        yield screen


class Paint(Stream):
    """Live pictures of one colour."""

    def __init__(self, colour: tuple[int, int, int], fps: float = 30) -> None:
        super().__init__(fps=fps)
        self._colour = colour

    def __iter__(self) -> Iterator[Captured]:
        for captured in super().__iter__():
            pixels = np.full((180, 320, 3), self._colour, np.uint8)
            yield Captured(ArrayPicture(pixels), captured.captured_ns)


class Counting(Stream):
    """Live pictures whose grey says how manieth they are, in steps that survive scaling: modulo 200, + 50."""

    def __iter__(self) -> Iterator[Captured]:
        for captured in super().__iter__():
            grey = (self.made - 1) % 200 + 50
            yield Captured(ArrayPicture(np.full((180, 320, 3), grey, np.uint8)), captured.captured_ns)


class Dead(Stream):
    """Cannot be reached."""

    def __init__(self, cause: Cause, why: str) -> None:
        super().__init__()
        self._error = cause, why

    def __enter__(self) -> "Dead":
        raise SourceError(*self._error)


class Nothing(Looker):
    """Sees what a Looker sees, but nowhere."""

    def detect(self, views: object) -> list[object]:  # type: ignore[override]
        return [found[:0] for found in super().detect(views)]  # type: ignore[arg-type]


@contextmanager
def shown(screen: Screen, window: Window, *others: object, **cameras: object) -> Iterator[Pipeline]:
    """A pipeline whose window is there."""
    pipeline, detector = Pipeline(on_status=lambda _: None), Nothing(4)
    for name, source in cameras.items():
        pipeline.add(Camera(name, source, seed=1), detector)  # type: ignore[arg-type]
    pipeline.sink(window, "window")
    for number, sink in enumerate(others):
        pipeline.sink(sink, f"other{number}")  # type: ignore[arg-type]
    with pipeline:
        screen.window()
        yield pipeline
    stats = pipeline.stats()
    processed = sum(camera.processed for camera in stats.cameras)
    for sink_stats in stats.sinks:
        assert processed == sink_stats.written + sum(sink_stats.dropped.values()), sink_stats


def near(pixels: NDArray[np.uint8], place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixels[place[1], place[0]].astype(int) - colour).max() < 12)


def four(fps: float = 30) -> dict[str, Stream]:
    return {name: Paint(colour, fps=fps) for name, colour in COLOURS.items()}


def all_four(screen: Screen) -> bool:
    pixels = screen.pixels()
    return all(near(pixels, GRID[name], colour) for name, colour in COLOURS.items())


def of_the_window(parent: int | None = None) -> list[psutil.Process]:
    there = psutil.Process(parent).children(recursive=True)
    return [child for child in there if any("sinks.window.child" in word for word in child.cmdline())]


# ---- what it shows, and its keys


def test_four_cameras_and_the_keys(screen: Screen, tmp_path: Path) -> None:
    window = Window(cameras=list(COLOURS), snapshots=tmp_path / "kept")
    with shown(screen, window, **four()) as pipeline:
        until(lambda: all_four(screen), 20)
        screen.press("2")
        until(lambda: all(near(screen.pixels(), place, COLOURS["green"]) for place in GRID.values()))
        screen.press("s")
        until(lambda: len(list((tmp_path / "kept").glob("green-*.png"))) == 1)
        screen.press("2")
        until(lambda: all_four(screen))
        screen.press("3")
        until(lambda: near(screen.pixels(), GRID["green"], COLOURS["blue"]))
        screen.press("0", "s", "s")
        until(lambda: len(list((tmp_path / "kept").glob("view-*.png"))) == 2)
        until(lambda: all_four(screen))
        screen.press("9")  # there is no such camera
        screen.press("q")
        until(lambda: pipeline.stop_asked)
        assert pipeline.wait(0)
    assert pipeline.error is None
    assert not of_the_window()
    (one,) = (tmp_path / "kept").glob("green-*.png")
    pixels = cv2.imread(str(one))
    assert pixels is not None
    assert pixels.shape == (180, 320, 3), "in full size"
    for kept in (tmp_path / "kept").glob("view-*.png"):
        view = cv2.imread(str(kept))
        assert view is not None
        assert (view.shape[1], view.shape[0]) == child.FIRST_SIZE


def test_closing_it_ends_the_run(screen: Screen) -> None:
    with shown(screen, Window(), gate=Paint((9, 9, 200))) as pipeline:
        until(lambda: near(screen.pixels(), (640, 380), (9, 9, 200)), 20)
        screen.close_window()
        until(lambda: pipeline.stop_asked)
        assert pipeline.wait(0)
    assert pipeline.error is None


def test_pause_keeps_what_is_shown_and_then_the_newest_comes(screen: Screen) -> None:
    source = Counting(fps=40)
    with shown(screen, Window(), gate=source) as pipeline:

        def grey() -> int:
            return int(screen.pixels()[300, 640, 0])

        until(lambda: grey() > 60, 20)
        screen.press("space")
        until(lambda: near(screen.pixels(), NOTE, AMBER))
        kept, made = grey(), source.made
        until(lambda: source.made > made + 30)
        assert grey() == kept
        written = pipeline.stats().sinks[0].written
        until(lambda: pipeline.stats().sinks[0].written > written)
        screen.press("space")
        until(lambda: (source.made - 1) % 200 + 50 - grey() in range(-2, 12))


def test_it_follows_its_own_size(screen: Screen) -> None:
    with shown(screen, Window(cameras=list(COLOURS)), **four()):
        until(lambda: all_four(screen), 20)
        screen.resize(640, 380)
        half = {name: (x // 2, y // 2) for name, (x, y) in GRID.items()}
        until(lambda: all(near(screen.pixels(), half[name], COLOURS[name]) for name in COLOURS))
        screen.resize(1400, 900)
        until(lambda: near(screen.pixels(), (1050, 700), COLOURS["white"]))


def test_a_camera_that_is_away_never_looks_live(screen: Screen) -> None:
    cameras = {
        "lost": Dead(Cause.NETWORK, "rtsp://192.0.2.1/a: the connection was refused"),
        "wrong": Dead(Cause.AUTH, "rtsp://192.0.2.1/b: the camera refuses the password (401)"),
        "fine": Paint(COLOURS["green"]),
        "stops": Counting(fps=50, count=20),
    }
    with shown(screen, Window(cameras=list(cameras)), **cameras):
        until(lambda: near(screen.pixels(), (600, 4), AMBER), 20)
        until(lambda: near(screen.pixels(), (1270, 4), RED))
        until(lambda: near(screen.pixels(), (300, 560), COLOURS["green"]))
        # The one that has ended shows its last picture, dimmed, below a bar that says so.
        until(lambda: near(screen.pixels(), (1180, 374), AMBER))
        last = int(screen.pixels()[690, 950, 0])
        assert last == pytest.approx(0.3 * 69, abs=6)


def test_a_snapshot_that_cannot_be_written_says_so(screen: Screen, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with shown(screen, Window(snapshots=tmp_path / "file"), gate=Paint(COLOURS["green"])) as pipeline:
        until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
        for keys in (("s",), ("1", "s")):  # the view, one camera; the first note has to go in between
            until(lambda: near(screen.pixels(), NOTE, COLOURS["green"]))
            screen.press(*keys)
            until(lambda: near(screen.pixels(), NOTE, AMBER))
        assert pipeline.stats().sinks[0].why == ""


def test_a_snapshot_of_a_picture_that_fails_says_so_and_the_window_goes_on(screen: Screen) -> None:
    failing = threading.Event()

    class Fails(ArrayPicture):
        def bgr(self) -> NDArray[np.uint8]:
            if failing.is_set():
                raise ValueError("no pixels any more")
            return super().bgr()

    class Sick(Paint):
        def __iter__(self) -> Iterator[Captured]:
            for captured in super().__iter__():
                yield Captured(Fails(captured.picture.bgr()), captured.captured_ns)

    with shown(screen, Window(), gate=Sick(COLOURS["green"])) as pipeline:
        until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
        screen.press("1")
        failing.set()
        screen.press("s")
        until(lambda: near(screen.pixels(), NOTE, AMBER))
        assert pipeline.stats().sinks[0].failures == 0
        assert len(of_the_window()) == 1
        failing.clear()
        written = pipeline.stats().sinks[0].written
        until(lambda: pipeline.stats().sinks[0].written > written + 3)
        screen.press("q")
        until(lambda: pipeline.stop_asked)
        assert pipeline.stats().sinks[0].failures == 0


def test_it_shows_each_picture_soon_however_slow_the_detector_is(screen: Screen) -> None:
    captured: dict[int, int] = {}  # by grey; they come again after seconds only

    class Noted(Counting):
        def __iter__(self) -> Iterator[Captured]:
            for one in super().__iter__():
                captured[int(one.picture.bgr()[0, 0, 0])] = one.captured_ns
                yield one

    source, slow, pipeline = Noted(fps=30), threading.Event(), Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", source), Nothing(1, busy=lambda views: bool(slow.wait(0.2))))
    pipeline.sink(Window(), "window")
    with pipeline:
        until(lambda: int(screen.pixels()[300, 640, 0]) > 60, 20)
        made = source.made
        seen = screen.watch((640, 300), 2)
        made = source.made - made
        ages_ms = sorted((at_ns - captured[grey]) / 1e6 for grey, at_ns in seen if grey in captured)
    (stats,) = pipeline.stats().cameras
    middle, late = (ages_ms[int(share * len(ages_ms))] for share in (0.5, 0.99))
    print(f"shown {len(ages_ms)} of {made}; capture to screen {middle:.1f} ms, p99 {late:.1f} ms")
    assert stats.processed < made / 3
    assert len(ages_ms) > 0.8 * made
    assert ages_ms[0] > 0
    assert middle < 50


def test_a_picture_that_is_gone_or_broken_is_left_out(screen: Screen) -> None:
    raised = []

    class Gone(ArrayPicture):
        def bgr(self) -> NDArray[np.uint8]:
            raised.append(Stale("too late") if len(raised) % 2 else ValueError("no pixels"))
            raise raised[-1]

    class Half(Paint):
        def __iter__(self) -> Iterator[Captured]:
            for number, captured in enumerate(super().__iter__()):
                gone = Gone(np.zeros((180, 320, 3), np.uint8))
                yield Captured(gone if number % 2 else captured.picture, captured.captured_ns)

    with shown(screen, Window(), gate=Half(COLOURS["green"])) as pipeline:
        until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
        written = pipeline.stats().sinks[0].written
        until(lambda: pipeline.stats().sinks[0].written > written + 5)
        assert {type(error) for error in raised} == {Stale, ValueError}
        assert pipeline.stats().sinks[0].failures == 0


def test_show_asks_for_a_window_that_is_not_required() -> None:
    flags = Namespace(jsonl=None, zmq=None, video=None, insecure=False, show=True, show_mode=None)
    (sink,) = sinks_from_flags(flags)
    assert (sink.use, sink.required, sink.arguments()) == ("window", False, {"mode": "predicted"})
    (sink,) = sinks_from_flags(Namespace(**{**vars(flags), "show": False, "show_mode": "exact"}))
    assert sink.arguments() == {"mode": "exact"}


@pytest.mark.parametrize("mode", ["exact", "latest"])
def test_the_other_modes_show_pictures_and_regions_too(screen: Screen, mode: str) -> None:
    lower = Region([[(0, 0.25), (1, 0.25), (1, 1), (0, 1)]])
    window = Window(mode=mode, regions={"gate": lower})  # type: ignore[arg-type]
    with shown(screen, window, gate=Paint(COLOURS["green"])):
        until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
        edge = screen.pixels()[190:220, 640]  # a quarter of 720 lines below the bar
        assert (edge > 200).all(axis=1).sum() in (1, 2, 3), "a thin white line"


# ---- it holds nobody up


def test_a_window_that_hangs_holds_nobody_up_and_then_shows_the_newest(screen: Screen) -> None:
    source, keeper = Counting(fps=40), Keeper()
    with shown(screen, Window(), keeper, gate=source):
        until(lambda: int(screen.pixels()[300, 640, 0]) > 60, 20)
        (one,) = of_the_window()
        one.suspend()
        try:
            got = len(keeper.got)
            until(lambda: len(keeper.got) > got + 60)
            newest = keeper.got[-1].frame
            assert time.monotonic_ns() - newest.captured_ns < 0.5e9
        finally:
            one.resume()
        woken = source.made
        seen: list[int] = []

        def newer() -> bool:
            seen.append(int(screen.pixels()[300, 640, 0]))
            return (seen[-1] - 50 - woken) % 200 < 40

        until(newer)
        old = [grey for grey in seen if 10 < (woken - (grey - 50)) % 200 < 100]
        assert len(set(old)) <= 1, "nothing of what came meanwhile is shown but what was there already"


def test_a_recording_does_not_wait_for_the_window(screen: Screen) -> None:
    pipeline = Pipeline(on_status=lambda _: None)
    keeper = Keeper()
    pipeline.add(Camera("film", Stream(live=False, count=3000)), Looker(4))
    pipeline.sink(Window(), "window")
    pipeline.sink(keeper)
    with pipeline:
        screen.window()
        until(lambda: len(keeper.got) > 100)
        for one in of_the_window():
            one.suspend()
        until(lambda: len(keeper.got) == 3000)
    assert [result.frame.index for result in keeper.got] == list(range(3000))
    assert not of_the_window()


# ---- no display, or no longer


def test_no_display_is_said_before_a_camera_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as camera:
        camera.settimeout(0.1)
        url = f"http://127.0.0.1:{camera.getsockname()[1]}/stream"
        done = freshframe("run", configured(tmp_path, url), cwd=tmp_path)
        with pytest.raises(TimeoutError):
            camera.accept()
    assert done.returncode == 2
    assert done.stderr == (
        "freshframe: window: there is no display: DISPLAY is not set; run it in a desktop session, or write "
        "--video PATH instead\n"
    )


@pytest.mark.parametrize(
    ("display", "why"),
    [
        (":4093", "there is no display: nobody serves DISPLAY=:4093; "),
        ("no-such-host.invalid:3", "there is no display: nobody serves DISPLAY=no-such-host.invalid:3; "),
    ],
)
def test_a_display_that_is_not_there(display: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(SinkError, match=f"^window: {why}"):
        Window().__enter__()
    assert not of_the_window()


def test_an_opencv_without_windows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child.cv2, "currentUIFramework", lambda: "")
    why = child.why(cv2.error("The function is not implemented. Rebuild the library with Windows, GTK+ …"))
    assert why.startswith(f"this OpenCV ({cv2.__version__}) was built without windows; `pip uninstall")


def test_a_display_that_vanishes_and_comes_back(mortal_screen: Screen, tmp_path: Path) -> None:
    screen = mortal_screen
    keeper, film = Keeper(), AnnotatedVideo(tmp_path / "gate.mp4")
    with shown(screen, Window(), keeper, film, gate=Paint(COLOURS["green"])) as pipeline:
        until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
        screen.kill()
        until(lambda: pipeline.stats().sinks[0].failures == 1)
        assert "the display has gone" in pipeline.stats().sinks[0].why
        got = len(keeper.got)
        until(lambda: len(keeper.got) > got + 20)
        with screen:
            until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
            until(lambda: pipeline.stats().sinks[0].why == "")
        processed = pipeline.stats().cameras[0].processed
        assert processed > got
    assert pipeline.error is None
    assert len(keeper.got) == pipeline.stats().cameras[0].processed
    pictures = cv2.VideoCapture(str(tmp_path / "gate.mp4"))
    assert pictures.get(cv2.CAP_PROP_FRAME_COUNT) == len(keeper.got), "the film is whole"


def test_a_required_window_that_dies_ends_the_run(mortal_screen: Screen) -> None:
    screen = mortal_screen
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Paint(COLOURS["green"])), Looker(4))
    pipeline.sink(Window(), "window", required=True)
    with pipeline:
        screen.window()
        until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
        screen.kill()
        assert pipeline.wait(10)
    assert isinstance(pipeline.error, SinkError)
    assert "the display has gone" in str(pipeline.error)


def test_a_window_that_is_killed_opens_again_and_leaves_nothing(screen: Screen) -> None:
    process = psutil.Process()
    window = Window()
    with shown(screen, window, gate=Paint(COLOURS["green"])) as pipeline:
        until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
        (one,) = of_the_window()
        descriptors = process.num_fds()
        one.kill()
        until(lambda: pipeline.stats().sinks[0].failures == 1)
        until(lambda: pipeline.stats().sinks[0].why == "", 20)
        (other,) = of_the_window()
        assert other.pid != one.pid
        assert process.num_fds() == descriptors
        assert all(one.status() != psutil.STATUS_ZOMBIE for one in process.children(recursive=True))
        took = time.monotonic()
    assert time.monotonic() - took < 1.5
    assert not of_the_window()


def test_it_ends_with_its_parent_whatever_that_dies_of(screen: Screen, tmp_path: Path) -> None:
    with started("run", configured(tmp_path), cwd=tmp_path) as program:
        screen.window()
        (one,) = of_the_window(program.pid)
        program.kill()
        until(lambda: not one.is_running() or one.status() == psutil.STATUS_ZOMBIE, 3)


def test_a_program_that_hangs_does_not_look_live(screen: Screen, tmp_path: Path) -> None:
    def brightness() -> float:
        return float(screen.pixels()[100:600, 100:1200].mean())

    with started("run", configured(tmp_path), cwd=tmp_path) as program:
        bar = 640, 2
        until(lambda: near(screen.pixels(), bar, GREY) and brightness() > 60, 20)
        program.send_signal(signal.SIGSTOP)
        until(lambda: near(screen.pixels(), bar, AMBER))
        assert brightness() < 40, "its last picture is dimmed"
        program.send_signal(signal.SIGCONT)
        until(lambda: near(screen.pixels(), bar, GREY) and brightness() > 60)
        screen.press("q")
        assert program.wait(10) == 0


def configured(folder: Path, source: str = "synthetic:?fps=10") -> Path:
    """A configuration with a window, results in out.jsonl, and a detector that needs no model."""
    (folder / "here.yaml").write_text(
        f'model: {{use: "mine:Bright"}}\ncameras: {{gate: {{source: "{source}"}}}}\n'
        "sinks: [{use: window, mode: exact}, {use: jsonl, path: out.jsonl}]\n"
    )
    (folder / "mine.py").write_text((ROOT / "tests" / "mine.py").read_text())
    return folder / "here.yaml"


def test_the_command_ends_with_0_when_it_is_closed(screen: Screen, tmp_path: Path) -> None:
    with started("run", configured(tmp_path), cwd=tmp_path) as program:
        screen.window()
        until(lambda: (tmp_path / "out.jsonl").exists() and (tmp_path / "out.jsonl").stat().st_size > 0, 20)
        screen.press("q")
        assert program.wait(10) == 0
        assert program.stderr is not None
        assert "sink window:" in program.stderr.read()
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert all(json.loads(line) for line in lines), "what was written is whole"


def test_a_terminals_ctrl_c_is_not_for_it(screen: Screen, tmp_path: Path) -> None:
    with shown(screen, Window(), gate=Paint(COLOURS["green"])):
        until(lambda: near(screen.pixels(), (640, 380), COLOURS["green"]), 20)
        (one,) = of_the_window()
        os.kill(one.pid, signal.SIGINT)  # a terminal's Ctrl-C is for everybody in it
        assert one.is_running()
    assert not of_the_window()


def test_modes_and_names_are_checked() -> None:
    with pytest.raises(ConfigError, match="window: mode is 'fast'; allowed: exact, predicted, latest"):
        Window(mode="fast")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="65 cameras; it shows no more than 64"):
        Window(cameras=[f"camera{number}" for number in range(65)])
