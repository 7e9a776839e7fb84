"""Where a camera's loop and its readers meet: one small value under one lock."""

import threading
from collections import deque

from streamer.silence import Silence

# Each is a change of state: more than this are only pending where nobody listens, and then the last count.
MOST_NEWS = 64


class Tally:
    """What has come of one camera so far, and what its loop has not heard yet.

    `changed` stands for `lock`, which every reader takes at each hand-over: whoever holds it does nothing
    that takes time. Everything is written with it held, by the reader whose connection it is.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.captured = 0  # frames received, ever
        self.epoch = -1
        self.size: tuple[int, int] | None = None  # of the pictures in this epoch
        self.news: deque[bool] = deque(maxlen=MOST_NEWS)  # a picture has come: is it late?
        self.quality_changed = False
        self.silence = Silence()
        self.stopping = False
