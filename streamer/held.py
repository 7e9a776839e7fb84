"""Processes of ours that do not outlive us, whatever happens to us.

Each reads its stdin and ends with it: a signal may come while we start one, or SIGKILL, and then nobody is
left who could end it.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

COMMANDS = "streamer.cli.held"
END_S = 5.0


def start(module: str, arguments: Sequence[str], said: IO[bytes] | None = None) -> subprocess.Popen[str]:
    """`python -m MODULE ARGUMENTS…`, which ends with its stdin; what it says on stderr may go to a file.

    Its group is its own: Ctrl-C in our terminal is for us, and we end it.
    """
    # -P: what lies in the current folder is none of our modules.
    command = [sys.executable, "-P", "-m", module, *arguments]
    return subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, process_group=0
    )


def end(process: subprocess.Popen[str]) -> None:
    """Ask it to end, and see to it; its pipes are closed."""
    try:
        with suppress(BrokenPipeError):
            if process.stdin is not None:
                process.stdin.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(END_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
