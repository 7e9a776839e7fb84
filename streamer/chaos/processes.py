"""The test camera and the bad network, each in a process of its own: nothing of theirs is in our time."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NoReturn, Self, TextIO

from streamer import held
from streamer.chaos.orders import ANSWER_S, Orders
from streamer.errors import Cause, SourceError
from streamer.serving.listening import LOOPBACK
from streamer.watermark.sent import SentTimes, sent_times

START_S = 20.0
_CONTROL = f"fakecam: control on {LOOPBACK}:"


class TestCamera:
    """`freshframe fakecam` with one camera for each clip, as long as the block lasts.

    Entering takes as long as painting the watermark does, where that is asked for. Raises SourceError
    where it does not start, with what it said. One thread.
    """

    __test__ = False  # for pytest: no test, whatever its name begins with

    def __init__(self, clips: Sequence[Path], log: Path, *, watermark: bool = False, port: int = 0) -> None:
        self._clips = clips
        self._log = log
        self._watermark = watermark
        self._port = port
        self.urls: Sequence[str] = ()

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile()
        words = ["fakecam", *map(str, self._clips), "--port", str(self._port), "--log", str(self._log)]
        words += ["--control", "0", *["--watermark"] * self._watermark]
        self._controls: dict[int, tuple[socket.socket, TextIO, Orders]] = {}  # one a camera: none waits
        self._process = held.start(held.COMMANDS, words, self._said)
        try:
            self.urls = _ready(self._process, len(self._clips))
            if not self.urls:
                self._refuse("did not start")
            self._control_port = self._found_control_port()
        except BaseException:
            self.kill()
            self._said.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for control, answers, orders in self._controls.values():
            with contextlib.suppress(OSError):  # gone already
                control.shutdown(socket.SHUT_RDWR)
            orders.close()
            answers.close()
            control.close()
        held.end(self._process)
        self._said.close()

    @property
    def port(self) -> int:
        """Where it listens; another one can be started there once this one has gone."""
        return int(self.urls[0].rpartition(":")[2].partition("/")[0])

    def order(self, camera: int, words: str) -> Future[int]:
        """Have a camera do something wrong, or `ok`; when that was in force, monotonic ns.

        Raises there ConfigError where it was refused, SourceError where nobody answers.
        """
        if camera not in self._controls:
            control = socket.create_connection((LOOPBACK, self._control_port), ANSWER_S)
            answers = control.makefile("r", encoding="utf-8")
            orders = Orders("the test camera", lambda line: control.sendall(line.encode()), answers.readline)
            self._controls[camera] = control, answers, orders
        return self._controls[camera][2].order(f"cam{camera} {words}")

    def tell(self, camera: int, words: str) -> None:
        """The same, waited for."""
        self.order(camera, words).result()

    def warm_up(self, wanted: Sequence[tuple[int, str]]) -> None:
        """Show such pictures once, so that they have been encoded when they are wanted. Raises as `order`."""
        obeyed = [self.order(camera, words) for camera, words in wanted]
        obeyed += [self.order(camera, "ok") for camera in dict(wanted)]
        for one in obeyed:
            one.result()

    def kill(self) -> None:
        """The power goes: SIGKILL, and nothing is told to anybody. Entered, it stays so until it is left."""
        self._process.kill()
        held.end(self._process)

    def sent(self) -> SentTimes:
        """What was sent so far, and when."""
        return sent_times(self._log)

    def _found_control_port(self) -> int:
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            for line in self._words().splitlines():
                if line.startswith(_CONTROL):
                    return int(line.removeprefix(_CONTROL))
            time.sleep(0.01)
        return self._refuse("has no control port")

    def _words(self) -> str:
        # pread: the place where the process writes next is the same as ours would be.
        return os.pread(self._said.fileno(), 1 << 16, 0).decode("utf-8", "replace")

    def _refuse(self, what: str) -> NoReturn:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(held.END_S)
        why = (self._words().strip().splitlines() or ["it said nothing"])[-1]
        raise SourceError(Cause.NETWORK, f"the test camera {what}: {why}")


class BadNetwork:
    """An impairment proxy in front of each of these addresses, all in one process, while the block lasts.

    `urls` are theirs, in the same order. Raises SourceError where they do not start. One thread.
    """

    def __init__(self, urls: Sequence[str], seed: int = 0) -> None:
        self._to = urls
        self._seed = seed
        self.urls: Sequence[str] = ()

    def __enter__(self) -> Self:
        self._process = held.start("streamer.chaos.ways", [str(self._seed), *self._to])
        self._orders = Orders("the impairment proxy", self._send, self._answer)
        try:
            self.urls = _ready(self._process, len(self._to))
        finally:
            if not self.urls:
                self.__exit__()
        if not self.urls:
            raise SourceError(Cause.NETWORK, "the impairment proxies did not start; see what is said above")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # it has nothing to put away, and who waits for an answer is woken
        self._orders.close()
        held.end(self._process)

    def order(self, way: int, words: str) -> Future[int]:
        """Spoil the way number `way`, or `ok`; when that was done, monotonic ns. Raises as above."""
        return self._orders.order(f"{way} {words}")

    def tell(self, way: int, words: str) -> None:
        """The same, waited for."""
        self.order(way, words).result()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _ready(process: subprocess.Popen[str], count: int) -> Sequence[str]:
    """The addresses that a process says are ready; none where it does not say so."""
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(count)]
    return [line[1] for line in lines] if all(line[:1] == ["ready"] for line in lines) else []
