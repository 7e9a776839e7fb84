"""All tests in two runs side by side: most of their time is waiting, for cameras that play in real time.

    python -m tests.side_by_side [what pytest takes, but no files]

Files that only compute run beside the others and give way to them, so that nobody's clock is held up. What
they say comes at the end. A file that is named nowhere here runs with those that measure time.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
COMPUTING = [
    *("assets*", "backlog", "backoff", "bench*", "changes", "cli", "config*", "copies", "cuda_engine"),
    *("detections", "eval*", "frame", "help", "imports", "init*", "isolation_messages", "jsonl", "listen"),
    *("looking", "mistakes", "motion", "openvino", "overlay", "pile", "quality", "readme", "region"),
    *("rtsp_damage", "rtsp_talk", "rtsp_units", "silence", "source_films", "source_parts"),
    *("source_pictures", "sources", "stats", "table", "torch_engine", "tuning", "turns", "video"),
    *("watermark", "wire", "yolo*"),
]
PYTEST = [sys.executable, "-m", "pytest"]
NOTHING_TO_RUN = 5  # pytest's exit status where no test was selected


def computing() -> list[str]:
    """The files that run beside the others."""
    found = {name: sorted(HERE.glob(f"test_{name}.py")) for name in COMPUTING}
    if gone := [name for name, files in found.items() if not files]:
        raise SystemExit(f"tests.side_by_side names files that are not there: {', '.join(gone)}")
    return [str(file) for files in found.values() for file in files]


def main(arguments: list[str]) -> int:
    """Run both. The exit status is that of the one that failed, 0 where none did."""
    files = computing()
    nice = ["nice", "-n", "10"] if shutil.which("nice") else []
    with tempfile.TemporaryFile() as said:
        beside = subprocess.Popen(
            [*nice, *PYTEST, "-p", "no:cacheprovider", *arguments, *files],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            first = subprocess.Popen([*PYTEST, *arguments, *(f"--ignore={file}" for file in files)]).wait()
            statuses = {first, beside.wait()}
        finally:
            beside.kill()
        said.seek(0)
        sys.stdout.flush()
        shutil.copyfileobj(said, sys.stdout.buffer)
    if failed := statuses - {0, NOTHING_TO_RUN}:
        return failed.pop()
    return min(statuses)


if __name__ == "__main__":
    # A Ctrl-C reaches both runs and ends them; we wait for what they say then.
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(main(sys.argv[1:]))
