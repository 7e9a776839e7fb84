"""The program as users run it, cameras that show nothing or break: what subscribers are told."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from sinks.subscriber import Subscriber
from streamer.fakecam import FakeCam
from streamer.fakecam.film import film
from streamer.sources.pattern import parse_pattern
from streamer.wire import DetectionsMessage, HealthMessage
from tests.running import ROOT, started

pytestmark = pytest.mark.timeout(60)

PATIENCE_S = 15.0


class Told:
    """What a subscriber has heard of one camera."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self.health: list[HealthMessage] = []
        self.quality: list[list[str]] = []

    def until(self, wanted: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not wanted():
            assert time.monotonic() < deadline, (
                [(m.state, m.quality) for m in self.health],
                self.quality[-5:],
            )
            match self._subscriber.receive(0.2):
                case HealthMessage() as message:
                    self.health.append(message)
                case DetectionsMessage() as message:
                    self.quality.append(message.quality)

    def now(self, state: str, quality: list[str]) -> bool:
        return bool(self.health) and (self.health[-1].state, self.health[-1].quality) == (state, quality)


@pytest.fixture(scope="module")
def cam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeCam]:
    path = tmp_path_factory.mktemp("clips") / "scene.mp4"
    film(parse_pattern("?size=320x240&fps=15&count=45"), path, keyframe_s=0.6)
    with pytest.MonkeyPatch.context() as patch, FakeCam([path]) as cam:
        patch.setattr("streamer.fakecam.studio.ROUND_S", 1.5)  # encoded faster
        yield cam


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def listening(cam: FakeCam, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """To one run, which serves all tests."""
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    config = tmp_path_factory.mktemp("run") / "run.yaml"
    config.write_text(
        'model: {use: "tests.mine:Bright"}\n'
        f'cameras: {{gate: {{source: "{cam.urls[0]}"}}}}\n'
        f'sinks: [{{use: zmq, endpoint: "{endpoint}"}}]\n'
    )
    with (
        started("run", config, env={"PYTHONPATH": str(ROOT)}),
        Subscriber(endpoint, health=True) as subscriber,
    ):
        told = Told(subscriber)
        told.until(lambda: len(told.quality) >= 12 and told.quality[-1] == [])  # its rate is known
        yield told


@pytest.fixture
def told(cam: FakeCam, listening: Told) -> Iterator[Told]:
    listening.until(lambda: not listening.health or listening.now("live", []))
    del listening.health[:-1], listening.quality[:-1]
    yield listening
    cam.fault(0, "ok")


@pytest.mark.parametrize(("fault", "flag"), [("black", "dark"), ("repeat", "frozen"), ("cover", "covered")])
def test_a_picture_that_shows_nothing_is_not_passed_off_as_the_scene(
    cam: FakeCam, told: Told, fault: str, flag: str
) -> None:
    cam.fault(0, fault)
    told.until(lambda: told.now("live", [flag]))
    assert told.health[-1].began == [flag]
    told.until(lambda: told.quality[-1] == [flag])
    cam.fault(0, "ok")
    told.until(lambda: told.now("live", []))
    assert told.health[-1].ended == [flag]
    told.until(lambda: told.quality[-1] == [])


def test_damage_is_marked_on_the_frames_that_lean_on_it(cam: FakeCam, told: Told) -> None:
    cam.fault(0, "loss", 0.1)
    told.until(lambda: told.quality[-1] == ["damaged"] and told.now("live", ["damaged"]))
    cam.fault(0, "ok")
    told.until(lambda: told.now("live", []) and told.quality[-1] == [])


def test_silence_is_told_before_anything_is_given_up(cam: FakeCam, told: Told) -> None:
    cam.fault(0, "hang")
    told.until(lambda: any(message.state == "silent" for message in told.health))
    silent = next(message for message in told.health if message.state == "silent")
    assert silent.cause == "silence"
    assert silent.why.startswith("nothing came for")
    cam.fault(0, "ok")
    heard = len(told.quality)
    told.until(lambda: told.now("live", []) and len(told.quality) > heard + 5)
    assert all(quality == [] for quality in told.quality[heard + 1 :])
