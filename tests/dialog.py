"""A terminal with somebody at it: what a program asks is waited for, and answered."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.running import environment

# As the command, but cameras are waited for and watched less long than real ones want.
QUICK = [
    sys.executable,
    "-c",
    "from streamer.setup import candidates, trying; candidates.COLLECT_S, trying.TRY_S = 0.3, 0.4; "
    "import sys; sys.argv[0] = 'freshframe'; from streamer.cli import program; program()",
]
# Makes the terminal the process's own, so that Ctrl-C is a signal, as for a user.
_OWN = (
    "import fcntl, os, sys, termios as t; fcntl.ioctl(0, t.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Dialog:
    """Freshframe on a pseudo-terminal. `said` is all that it showed, `status` how it ended."""

    def __init__(
        self,
        *arguments: str | Path,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
    ) -> None:
        self.said = ""
        self._seen = 0
        self._arguments = [str(one) for one in arguments]
        self._cwd = cwd
        self._env = {key: value for key, value in environment(env).items() if key not in without}

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _OWN, *QUICK, *self._arguments],
            cwd=self._cwd,
            env=self._env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def hear(self, pattern: str, timeout_s: float = 30) -> re.Match[str]:
        """Wait until it says that, after what was heard before."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = re.search(pattern, self.said[self._seen :])
            if found:
                self._seen += found.end()
                return found
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"{pattern!r} was not said in time: {self.said}"
            assert self._more(left_s), f"{pattern!r} was never said: {self.said}"

    def type(self, text: str | bytes) -> None:
        os.write(self._master, text if isinstance(text, bytes) else text.encode())

    def answer(self, pattern: str, text: str | bytes = "") -> None:
        """Wait for a question, and answer it with Enter behind."""
        self.hear(pattern)
        self.type(text)
        self.type("\n")

    def status(self, timeout_s: float = 30) -> int:
        """Wait for its end."""
        deadline = time.monotonic() + timeout_s
        while self._more(max(0.0, deadline - time.monotonic())):
            pass
        return self._process.wait(max(0.1, deadline - time.monotonic()))

    def _more(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if not ready:
            return False
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # the other end is closed: it has ended
            return False
        self.said += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
