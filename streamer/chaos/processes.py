"""The test camera and the bad network, each in a process of its own: nothing of theirs is in our time."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Self

from streamer.errors import Cause, ConfigError, SourceError
from streamer.serving.listening import LOOPBACK
from streamer.watermark.sent import SentTimes, sent_times

START_S = 20.0
ANSWER_S = 5.0
END_S = 5.0
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
        command = [sys.executable, "-P", "-m", "streamer.chaos.held", "fakecam", *map(str, self._clips)]
        command += ["--port", str(self._port), "--log", str(self._log), "--control", "0"]
        command += ["--watermark"] if self._watermark else []
        self._process = subprocess.Popen(  # noqa: S603 - ours
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True
        )
        try:
            self.urls = _ready(self._process, len(self._clips))
            if not self.urls:
                self._refuse("did not start")
            self._control = socket.create_connection((LOOPBACK, self._control_port()), ANSWER_S)
        except BaseException:
            self.kill()
            self._said.close()
            raise
        self._answers = self._control.makefile("r", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._control.close()
        _end(self._process)
        self._said.close()

    @property
    def port(self) -> int:
        """Where it listens; another one can be started there once this one has gone."""
        return int(self.urls[0].rpartition(":")[2].partition("/")[0])

    def tell(self, camera: int, words: str) -> None:
        """Have a camera do something wrong, or `ok`. Raises ConfigError where it does not."""
        self._control.sendall(f"cam{camera} {words}\n".encode())
        answer = self._answers.readline().strip()
        if answer != "ok":
            raise ConfigError(f"cam{camera} {words}: the test camera says: {answer or 'nothing'}")

    def kill(self) -> None:
        """The power goes: SIGKILL, and nothing is told to anybody. Entered, it stays so until it is left."""
        self._process.kill()
        _end(self._process)

    def sent(self) -> SentTimes:
        """What was sent so far, and when."""
        return sent_times(self._log)

    def _control_port(self) -> int:
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
            self._process.wait(END_S)
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
        command = [sys.executable, "-P", "-m", "streamer.chaos.ways", str(self._seed), *self._to]
        # A session of its own: Ctrl-C in our terminal is for us, and we end it by hanging up.
        self._process = subprocess.Popen(  # noqa: S603 - ours
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            self.urls = _ready(self._process, len(self._to))
        finally:
            if not self.urls:
                self.__exit__()
        if not self.urls:
            raise SourceError(Cause.NETWORK, "the impairment proxies did not start; see what is said above")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        _end(self._process)

    def tell(self, way: int, words: str) -> None:
        """Spoil the way number `way`, or `ok`. Raises ConfigError where that was not done."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{way} {words}\n")
        self._process.stdin.flush()
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if answer != "ok":
            raise ConfigError(f"{words}: the impairment proxy says: {answer or 'nothing'}")


def _ready(process: subprocess.Popen[str], count: int) -> Sequence[str]:
    """The addresses that a process says are ready; none where it does not say so."""
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(count)]
    return [line[1] for line in lines] if all(line[:1] == ["ready"] for line in lines) else []


def _end(process: subprocess.Popen[str]) -> None:
    """Ask it to end, and see to it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
