"""A camera that is decoded in a process of its own, and what is left of one."""

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.fakecam.film import film
from streamer.isolation import Isolated, starting
from streamer.isolation.channel import Channel
from streamer.isolation.messages import ENTER, job
from streamer.sources import SourceOptions, parse_address
from streamer.sources.pattern import Pattern
from streamer.watermark import read

CAMERA = "synthetic:?size=320x240&fps=100"


def isolated(text: str | Path = CAMERA, *, live: bool | None = None) -> Isolated:
    return Isolated(parse_address(str(text)), SourceOptions(live=live))


def gone(pid: int | None) -> bool:
    """Not even a zombie is left of it, or one that somebody else has to reap."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True
    return state[0] == "Z" and int(state[1]) != os.getpid()


def held() -> tuple[int, int, int, int]:
    """What could leak: descriptors, mapped segments, threads, children (zombies too)."""
    mapped = Path("/proc/self/maps").read_text().count("memfd:freshframe")
    threads = list(Path("/proc/self/task").iterdir())
    children = [pid for task in threads for pid in (task / "children").read_text().split()]
    return len(list(Path("/proc/self/fd").iterdir())), mapped, threading.active_count(), len(children)


def watch(source: Isolated, seen: list[int]) -> None:
    """Each picture of the synthetic camera is the one that it says it is, above and below."""
    for captured in source:
        reading = read(captured.picture.bgr())
        assert reading.mark is not None, reading
        assert reading.mark.frame == round((captured.pts_ns or 0) * 100 / 1e9)
        seen.append(reading.mark.frame)


@pytest.fixture(autouse=True)
def nothing_held_by_others() -> None:
    """What `held` tells at a test's beginning does not become less by what tests before it left to the GC."""
    starting._thread.submit(int).result()  # the thread that starts processes is there to the end
    gc.collect()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty watermarked pictures, played in two thirds of a second."""
    path = tmp_path_factory.mktemp("isolation") / "clip.mp4"
    film(Pattern((320, 240), 60.0, 3, 40), path)
    return path


@contextmanager
def silent_camera() -> Iterator[str]:
    """It accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"


def in_thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target)
    thread.start()
    return thread


class Played:
    """A process that is none: `plays` has its end of the socket, in a thread of its own."""

    def __init__(self, plays: Callable[[Channel], None]) -> None:
        ours, theirs = socket.socketpair()
        self.channel, self.pid, self.alive, self.killed = Channel(ours), 0, True, False
        self._thread = in_thread(lambda: self._play(Channel(theirs), plays))

    def _play(self, channel: Channel, plays: Callable[[Channel], None]) -> None:
        job(channel.receive() or b"")
        assert channel.receive() == ENTER
        try:
            plays(channel)
        except OSError:
            pass
        finally:
            channel.close()

    def hang_up(self) -> None:
        self.channel.hang_up()

    def kill(self) -> None:
        self.killed = True
        self.hang_up()

    def end(self) -> int:
        self.hang_up()
        self._thread.join()
        self.channel.close()
        return -9
