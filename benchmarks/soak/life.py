"""What happens to the watched program: seeded, so that a run can be had again, but for its timing."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from benchmarks.soak.control import Control
from benchmarks.soak.stage import CUT, NAMES, SIZED

SIZES = ("96x64", "128x96", "160x96", "320x192", "192x320", "640x352")
TROUBLES = (
    *("hang", "mute", "refuse", "deny", "trickle", "garbage", "flood", "codec h265"),
    *(
        "loss 0.1",
        "damage 0.1",
        "stamps frozen",
        "stamps backward",
        "stamps wrap",
        "drift 500",
        "repeat",
        "black",
    ),
)
OVERDUE_S = 10.0
FULL_BYTES = 8 << 10


class Cuts:
    """A camera is cut off, and again as soon as it has been seen to be back: as fast as it will go."""

    def __init__(self, control: Control, rng: random.Random) -> None:
        self.back = 0  # forced, and followed by pictures of a new connection
        self.overdue = 0
        self._control = control
        self._rng = rng
        self._ways = ["drop", "reset"]
        self._epochs = [-1] * CUT
        self._waits = [False] * CUT
        self._due_s = [float("inf")] * CUT

    def saw(self, name: str, epoch: int) -> None:
        """A picture came from a camera."""
        if not name.startswith("cut"):
            return
        camera = NAMES.index(name)
        if epoch > self._epochs[camera]:
            self._epochs[camera] = epoch
            self.back += self._waits[camera]
            self._waits[camera] = False
            self._due_s[camera] = time.monotonic() + self._rng.uniform(0.1, 0.2)

    def act(self) -> None:
        """Cut off whose time has come."""
        now_s = time.monotonic()
        if self._control.refused():
            self._ways = ["drop"]  # an older test camera
        for camera, due_s in enumerate(self._due_s):
            if now_s >= due_s:
                self.overdue += self._waits[camera]
                self._control.tell(camera, self._rng.choice(self._ways))
                self._waits[camera] = True
                self._due_s[camera] = now_s + OVERDUE_S


class Mishaps:
    """Sizes that change, cameras with every other fault in turn, subscribers, a disk that fills."""

    def __init__(
        self, sizes: Control, troubles: Control, endpoint: str, disk: Path | None, rng: random.Random
    ) -> None:
        self.done: Counter[str] = Counter()
        self.refused: set[str] = set()
        self._sizes = sizes
        self._troubles = troubles
        self._endpoint = endpoint
        self._disk = disk
        self._rng = rng
        self._audience: subprocess.Popen[bytes] | None = None
        self._full_s: float | None = None
        self._due_s: dict[Callable[[], float], float] = {
            self._change_size: 0.0,
            **{partial(self._trouble, camera): 0.0 for camera in range(CUT + SIZED, len(NAMES))},
            self._new_audience: 0.0,
            self._look_at_disk: 0.0,
        }
        self._ill: set[int] = set()

    def act(self) -> None:
        """Do what is due; each says in how many seconds it wants to be asked again."""
        now_s = time.monotonic()
        for action, due_s in self._due_s.items():
            if now_s >= due_s:
                self._due_s[action] = now_s + action()

    def end(self) -> None:
        if self._audience is not None:
            self._audience.kill()
            self._audience.wait()

    def _tell(self, control: Control, camera: int, command: str) -> bool:
        """False where the one before is not done yet: there is more time."""
        self.refused.update(control.refused())
        if control.waiting:
            return False
        control.tell(camera, command)
        self.done[command.partition(" ")[0]] += 1
        return True

    def _change_size(self) -> float:
        self._tell(self._sizes, CUT + self._rng.randrange(SIZED), f"size {self._rng.choice(SIZES)}")
        return self._rng.uniform(0.5, 2.0)

    def _trouble(self, camera: int) -> float:
        well = camera in self._ill
        if not self._tell(self._troubles, camera, "ok" if well else self._rng.choice(TROUBLES)):
            return 0.1
        self._ill ^= {camera}
        return self._rng.uniform(1.0, 4.0) if well else self._rng.uniform(2.0, 7.0)

    def _new_audience(self) -> float:
        self.end()
        seed = self._rng.randrange(1 << 30)
        words = [sys.executable, "-m", "benchmarks.soak.audience", self._endpoint, str(seed)]
        self._audience = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        self.done["subscribers killed and started"] += 1
        return self._rng.uniform(5.0, 15.0)

    def _look_at_disk(self) -> float:
        """Once it is full it stays so for a while, then somebody tidies up."""
        if self._disk is None:
            return 3600.0
        now_s = time.monotonic()
        with suppress(OSError):
            room = os.statvfs(self._disk)
            if room.f_bavail * room.f_frsize > FULL_BYTES:
                self._full_s = None
            elif self._full_s is None:
                self._full_s = now_s
            elif now_s - self._full_s > 4.0:
                self._tidy(self._disk)
                self.done["disk filled and emptied"] += 1
                self._full_s = None
        return 0.5

    def _tidy(self, disk: Path) -> None:
        # What is being written keeps its file: its beginning is cut off, as log rotation does.
        newest = time.time() - 10
        for path in disk.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < newest:
                    path.unlink()
                else:
                    os.truncate(path, 0)
