"""A real X server without a monitor: windows open there, keys are pressed, and pixels can be looked at."""

import ctypes
import mmap
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tests.boxes import until
from tests.conftest import missing

TITLE = "^Freshframe$"


class Screen:
    """Debian's Xvfb; `kill` takes it away, entering it again brings it back under the same name."""

    def __init__(self, folder: Path, size: tuple[int, int] = (1400, 900)) -> None:
        for tool in ("Xvfb", "xdotool"):
            if shutil.which(tool) is None:
                missing(f"{tool} is not installed")
        self._folder = folder
        self._size = size
        self.name = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        told, tell = os.pipe()
        try:
            names = [self.name] if self.name else []
            self._process = subprocess.Popen(
                [
                    *(
                        "Xvfb",
                        *names,
                        "-displayfd",
                        str(tell),
                        "-screen",
                        "0",
                        "{}x{}x24".format(*self._size),
                    ),
                    *("-fbdir", str(self._folder), "-nolisten", "tcp", "-noreset"),
                ],
                pass_fds=(tell,),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            said = b""
            while not said.endswith(b"\n"):  # the line comes in pieces
                assert select.select([told], [], [], 20)[0], "Xvfb did not start"
                said += os.read(told, 16)
            self.name = f":{said.decode().strip()}"
        finally:
            os.close(told)
            os.close(tell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """It vanishes, as a desktop session does."""
        self._end(signal.SIGKILL)
        number = self.name[1:]
        for left in (f"/tmp/.X{number}-lock", f"/tmp/.X11-unix/X{number}"):
            Path(left).unlink(missing_ok=True)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(10)

    def pixels(self) -> NDArray[np.uint8]:
        """What is on the screen, (H, W, 3) uint8 BGR. The file is a dump as of xwd (X11/XWDFile.h)."""
        data = (self._folder / "Xvfb_screen0").read_bytes()
        head = np.frombuffer(data[:100], ">u4")
        start, width, height, line = int(head[0] + 12 * head[19]), int(head[4]), int(head[5]), int(head[12])
        lines = np.frombuffer(data, np.uint8, line * height, start).reshape(height, line)
        return lines[:, : 4 * width].reshape(height, width, 4)[:, :, :3]

    def watch(self, place: tuple[int, int], seconds: float) -> list[tuple[int, int]]:
        """Each blue that is to be seen in this pixel meanwhile, and when it was first (monotonic ns)."""
        seen: list[tuple[int, int]] = []
        with (self._folder / "Xvfb_screen0").open("rb") as file:
            dump = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        head = np.frombuffer(dump[:100], ">u4")
        at = int(head[0] + 12 * head[19] + place[1] * head[12] + 4 * place[0])
        end_s, pause = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < end_s:
            if not seen or dump[at] != seen[-1][0]:
                seen.append((dump[at], time.monotonic_ns()))
            pause.wait(0.0007)
        return seen[1:]

    def window(self) -> str:
        """Its number, once it is there."""
        found: list[str] = []

        def there() -> bool:
            found[:] = self.xdotool("search", "--name", TITLE).split()
            return bool(found)

        until(there, 20)
        return found[-1]

    def press(self, *keys: str) -> None:
        """Press keys in the window, as fast as people do."""
        self.xdotool("windowfocus", "--sync", self.window())
        self.xdotool("key", "--delay", "60", *keys)

    def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        self.xdotool("windowsize", "--sync", self.window(), str(width), str(height))

    def xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words],
            env={**os.environ, "DISPLAY": self.name},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done.stdout

    def close_window(self) -> None:
        """Click on its cross: what a window manager sends then (ICCCM 4.2.8.1)."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        server = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        window = ctypes.c_ulong(int(self.window()))
        names = [x11.XInternAtom(server, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")]
        # XClientMessageEvent (X11/Xlib.h): type 33, format 32, and the time 0 as the second datum.
        event = (ctypes.c_ulong * 24)(33, 0, 0, 0, window.value, names[0], 32, names[1], 0)
        x11.XSendEvent(server, window, 0, ctypes.c_long(0), ctypes.byref(event))
        x11.XCloseDisplay(server)
