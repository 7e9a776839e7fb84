"""Commands of ours in processes of their own, as a camera or somebody's program is."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streamer import held
from streamer.errors import Cause, SourceError


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`freshframe ARGUMENTS…` as long as the block lasts, and no longer; its output is to be read."""
    process = held.start(held.COMMANDS, arguments)
    try:
        yield process
    finally:
        held.end(process)


@contextmanager
def cameras(clips: Sequence[Path]) -> Iterator[list[str]]:
    """`freshframe fakecam` with a camera for each clip; yields the addresses. Raises SourceError."""
    with running("fakecam", *map(str, clips), "--port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in clips]
        if any(line[:1] != ["ready"] for line in lines):
            raise SourceError(
                Cause.NETWORK, "the test camera did not start; `freshframe fakecam` may say why"
            )
        yield [line[1] for line in lines]
