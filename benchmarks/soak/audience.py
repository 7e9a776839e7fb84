"""Subscribers that come and go, for a process of its own: `python -m benchmarks.soak.audience ENDPOINT SEED`.

Some listen to all, some to one camera, some take nothing and let their queues fill; all leave without a
word. Whoever started this kills it now and then with all that are there.
"""

import random
import sys
import time
from contextlib import ExitStack

import zmq

MOST = 12
TOPICS = (b"", b"det.", b"health.", b"det.cut0\0", b"det.size0\0")


def come_and_go(endpoint: str, seed: int) -> None:
    """Until it is killed."""
    rng = random.Random(seed)
    with zmq.Context() as context, ExitStack() as everybody:
        there: list[tuple[zmq.Socket[bytes], bool]] = []
        while True:
            if len(there) < MOST and rng.random() < 0.6:
                one = everybody.enter_context(context.socket(zmq.SUB))
                one.setsockopt(zmq.LINGER, 0)
                one.setsockopt(zmq.RCVHWM, 4)
                one.subscribe(rng.choice(TOPICS))
                one.connect(endpoint)
                there.append((one, rng.random() < 0.3))
            elif there:
                there.pop(rng.randrange(len(there)))[0].close()
            until_s = time.monotonic() + rng.uniform(0.02, 0.2)
            while time.monotonic() < until_s:
                for one, lazy in there:
                    if not lazy and one.poll(0):
                        one.recv()
                time.sleep(0.005)


if __name__ == "__main__":
    come_and_go(sys.argv[1], int(sys.argv[2]))
