"""Is there a display for the window, and can OpenCV open one?"""

import os
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from streamer.doctor.finding import Finding, Section, fact, good, warning
from streamer.doctor.machine.libraries import Loaded, pip

CONNECT_S = 1.0
_LOCAL = re.compile(r"(?:unix)?:(\d{1,5})(?:\.\d+)?")
WITHOUT = "`--show` and the sink `window` want one; everything else does without"


def section(loaded: Loaded, environment: Mapping[str, str] = os.environ) -> Section:
    return Section("Display", (_display(environment), *_opencv(loaded)))


def _display(environment: Mapping[str, str]) -> Finding:
    if sys.platform in ("darwin", "win32"):
        return good("display", "the system's own")
    wayland, x11 = environment.get("WAYLAND_DISPLAY"), environment.get("DISPLAY")
    if not wayland and not x11:
        return fact("display", f"none: neither DISPLAY nor WAYLAND_DISPLAY is set; {WITHOUT}")
    for name, text, reachable in (("DISPLAY", x11, _x11), ("WAYLAND_DISPLAY", wayland, _wayland)):
        if text and reachable(text, environment) is not False:
            return good("display", f"{name}={text}")
    found = " ".join(
        f"{key}={value}" for key, value in (("DISPLAY", x11), ("WAYLAND_DISPLAY", wayland)) if value
    )
    return warning(
        "display", f"{found}, and nobody answers there", f"log in with a desktop, or unset it; {WITHOUT}"
    )


def _x11(display: str, _: Mapping[str, str]) -> bool | None:
    """Whether somebody answers; None where that is on another machine, which is not asked."""
    match = _LOCAL.fullmatch(display)
    if match is None:
        return None
    name = f"/tmp/.X11-unix/X{match[1]}"  # noqa: S108 - where X.Org has it
    return _answers(f"\0{name}") or _answers(name)


def _wayland(display: str, environment: Mapping[str, str]) -> bool:
    return _answers(str(Path(environment.get("XDG_RUNTIME_DIR", "/run")) / display))


def _answers(name: str) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(CONNECT_S)
        try:
            one.connect(name)
        except (OSError, ValueError):
            return False
        return True


def _opencv(loaded: Loaded) -> list[Finding]:
    said = loaded.of("cv2")
    if not said or "gui" not in said:
        return []
    gui = said["gui"]
    if not gui or gui.upper().startswith("NONE") or not said.get("imshow"):
        advice = f"{pip()} uninstall opencv-python-headless opencv-python, then {pip()} install opencv-python"
        return [warning("OpenCV", "is built without windows (headless)", advice)]
    return [good("OpenCV", f"opens windows with {gui}")]
