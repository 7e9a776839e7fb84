"""Live RTSP cameras in a process of their own, and when they sent what."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamer.watermark.sent import SentTimes, sent_times


@dataclass(frozen=True, slots=True)
class Served:
    """Cameras that run; camera n sends clip n, whose watermark says n."""

    urls: Sequence[str]
    log: Path

    def sent(self) -> SentTimes:
        """What they have sent so far."""
        return sent_times(self.log)


@contextmanager
def cameras(clips: Sequence[Path]) -> Iterator[Served]:
    """Serve each clip as a camera, as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "sent.jsonl"
        command = [
            sys.executable,
            "-m",
            "streamer",
            "fakecam",
            *map(str, clips),
            "--port",
            "0",
            "--log",
            str(log),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield Served([process.stdout.readline().split()[1] for _ in clips], log)
            finally:
                process.terminate()
