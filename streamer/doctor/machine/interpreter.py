"""Python and the system that it runs on."""

import platform
import sys
import sysconfig

from streamer.doctor.finding import Finding, Section, fact, good, warning


def section() -> Section:
    found = [_python(), _system()]
    where = f"in {sys.prefix}"
    if sys.prefix == sys.base_prefix:
        text = f"{where}, which is the system's own: what is installed here may disturb other programs"
        found.append(fact("environment", text))
    else:
        found.append(fact("environment", where))
    return Section("Python", tuple(found))


def _python() -> Finding:
    text = f"{platform.python_version()} ({platform.python_implementation()})"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return warning(
            "python", f"{text}, free-threaded: nobody tried that", "use an ordinary build of Python"
        )
    return good("python", text)


def _system() -> Finding:
    name = platform.system()
    text = f"{name} {platform.release()}, {platform.machine()}"
    if name != "Linux":
        return warning("system", text, "only Linux was tried: tell us what does not work")
    try:
        distribution = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        distribution = ""
    return good("system", f"{distribution}, {text}" if distribution else text)
