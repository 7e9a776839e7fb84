"""A question asked in a process of its own, which may hang or crash and take nothing along."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any


def asked(module: str, arguments: Sequence[str], timeout_s: float) -> Any:
    """What `python -m module` writes as JSON on its last line. Raises RuntimeError where it does not."""
    paths = os.pathsep.join(path for path in sys.path if path)  # with the wheels on it
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=complained,
            start_new_session=True,
        )
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"stopped after {timeout_s:.0f} s") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it has started itself
            process.wait()
        for file in (said, complained):
            file.seek(0)
        if process.returncode:
            why = (complained.read().strip().splitlines() or ["it said nothing"])[-1][:200]
            raise RuntimeError(f"ended with status {process.returncode}: {why}")
        return json.loads(said.read().splitlines()[-1])
