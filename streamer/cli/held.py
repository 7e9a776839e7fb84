"""A command of ours that ends when whoever started it has gone: `python -m streamer.cli.held COMMAND…`.

It holds on to stdin: the end of that is SIGTERM, also where the other one was killed and could say nothing
any more; and where that is not enough, the end. `streamer.held` starts it so.
"""

import os
import signal
import sys
import threading
import time

from streamer.cli import program

ENDS_S = 5.0


def _hold() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ENDS_S)
    os._exit(1)


if __name__ == "__main__":
    sys.argv[0] = "freshframe"
    threading.Thread(target=_hold, name="hold", daemon=True).start()
    program()
