"""Heavy work in a process of its own, so that this one stays free of the libraries that it takes."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from streamer.errors import DetectorError


def run(module: str, arguments: Sequence[str], timeout_s: float, what: str) -> None:
    """Run `python -m module` to its end. Raises DetectorError with its last line where it fails."""
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryFile() as stderr:
        # A Ctrl-C in the terminal is for us alone, hence the session. The child lives as long as its
        # stdin is open, so that it ends with us however we end.
        with subprocess.Popen(  # noqa: S603  (our own module, under our own interpreter)
            [sys.executable, "-P", "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        ) as child:
            try:
                child.wait(timeout_s)
            except subprocess.TimeoutExpired as error:
                raise DetectorError(f"{what}: it took more than {timeout_s:.0f} s") from error
            finally:
                child.kill()
        stderr.seek(0)
        said = stderr.read().decode(errors="replace")
    if child.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        why = lines[-1][:300] if lines else f"the process for it ended with status {child.returncode}"
        raise DetectorError(f"{what}: {why}")


def end_with_parent() -> None:
    """In the child: watch the pipe that is stdin, and end at once when whoever holds it has gone."""
    threading.Thread(target=_watch, name="parent", daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)
