"""What a server says on stderr: each thing once, or once in a while, however often clients cause it."""

import asyncio
import errno
import math
import sys
import time
from typing import Any

OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Complaints:
    """Complains in the name of `who`; asyncio's exception handler where a server lends it `handle`."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._quiet_until_s: dict[str, float] = {}  # by text; ours, so there are few

    def say(self, text: str, again_s: float = math.inf) -> None:
        """Say this, and not again for so long."""
        now_s = time.monotonic()
        if now_s >= self._quiet_until_s.get(text, -math.inf):
            self._quiet_until_s[text] = now_s + again_s
            sys.stderr.write(f"{self._who}: {text}\n")

    def say_short(self, error: OSError) -> None:
        """Say once that there are no more file descriptors, or what else there is none of."""
        why = (error.strerror or str(error)).lower()
        self.say(f"clients have to wait: {why}; `ulimit -n` allows more")

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Say what asyncio could not accept a client for; it tries again each second."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in OUT_OF_RESOURCES:
            self.say_short(error)
        else:
            loop.default_exception_handler(context)
