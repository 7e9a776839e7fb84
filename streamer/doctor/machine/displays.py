"""Is there a display for the window, and can OpenCV open one?"""

import os
from collections.abc import Mapping

from streamer import display
from streamer.doctor.finding import Finding, Section, fact, good, warning
from streamer.doctor.machine.libraries import Loaded, pip

WITHOUT = "`--show` and the sink `window` want one; everything else does without"


def section(loaded: Loaded, environment: Mapping[str, str] = os.environ) -> Section:
    return Section("Display", (_display(environment), *_opencv(loaded)))


def _display(environment: Mapping[str, str]) -> Finding:
    why, x11 = display.missing(environment), environment.get("DISPLAY")
    if not why:
        return good("display", f"DISPLAY={x11}" if x11 else "the system's own")
    if x11:
        return warning("display", why, f"log in with a desktop, or unset it; {WITHOUT}")
    if environment.get("WAYLAND_DISPLAY"):
        return warning("display", why, f"install XWayland and log in again, which sets DISPLAY; {WITHOUT}")
    return fact("display", f"none: {why}; {WITHOUT}")


def _opencv(loaded: Loaded) -> list[Finding]:
    said = loaded.of("cv2")
    if not said or "gui" not in said:
        return []
    gui = said["gui"]
    if not gui or gui.upper().startswith("NONE") or not said.get("imshow"):
        advice = f"{pip()} uninstall opencv-python-headless opencv-python, then {pip()} install opencv-python"
        return [warning("OpenCV", "is built without windows (headless)", advice)]
    return [good("OpenCV", f"opens windows with {gui}")]
