"""A command of ours that ends when whoever started it has gone: `python -m streamer.chaos.held COMMAND…`.

It holds on to stdin: the end of that is SIGTERM, also where we were killed and could say nothing any more.
"""

import os
import signal
import sys
import threading

from streamer.cli import program


def _hold() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.argv[0] = "freshframe"
    threading.Thread(target=_hold, name="hold", daemon=True).start()
    program()
