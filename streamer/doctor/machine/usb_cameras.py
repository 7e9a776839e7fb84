"""Which USB cameras are there, and may this user open them?"""

import getpass
import os

from streamer.doctor.finding import Finding, Section, fact, good, warning
from streamer.sources.usb import Camera, cameras


def section() -> Section:
    found = [_camera(one) for one in cameras()]
    return Section("USB cameras", tuple(found or [fact("cameras", "none found")]))


def _camera(camera: Camera) -> Finding:
    name = f"usb:{camera.number}"
    stable = next((link for link in camera.links if "by-id" in link), "")
    text = f"{camera.name}{f', {stable}' if stable else ''}"
    if not os.access(camera.path, os.R_OK | os.W_OK):
        advice = f"sudo usermod -aG video {_user()}, then log in anew"
        return warning(name, f"{text}: this user may not open it", advice)
    return good(name, text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in containers
        return "USER"
