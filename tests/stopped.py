"""Commands that a signal ends, and that nothing of them is left."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.running import COMMAND, environment
from tests.source_clips import make_clip

AT_MOST_S = 4.0
LOOPBACK = "127.0.0.1"


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def session_of(leader: int) -> list[int]:
    """The processes of its session, itself included while nobody has waited for it."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(stat.parent.name))
    return found


def kill_session(leader: subprocess.Popen[str]) -> None:
    """It and whatever it has left: nobody holds its pipes any more. Not waited for yet, its id is its own."""
    if leader.returncode is None:
        leader.kill()
    for pid in session_of(leader.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def nothing_left(session: int) -> bool:
    """No process of that session and no shared memory that its leader named after itself."""
    left = [str(pid) for pid in session_of(session)]
    named = re.compile(rf"(?<!\d){session}(?!\d)")
    left += [path.name for path in Path("/dev/shm").iterdir() if named.search(path.name)]
    assert not left
    return True


# ---- pictures come, or came


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", bf="0", g="15")


# ---- the other commands that run until they are stopped


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        kill_session(process)
        with suppress(ValueError):  # read to the end already
            process.communicate(timeout=AT_MOST_S)
