"""The libraries: there, new enough, none known to be bad, none in the way of another, and they load."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from streamer.doctor.finding import Finding, Section, good, problem, warning
from streamer.doctor.machine import child
from streamer.doctor.machine.installed import Requirement, older, requirements, same_release, version_of

LOAD_S = 90.0  # for all of them, from a cold disk

# Of distributions whose module has quite another name.
MODULES = {"opencv-python": "cv2", "pyyaml": "yaml", "pyzmq": "zmq"}
# Where nothing is installed as a distribution: what a checkout cannot do without.
NEEDED = (
    *(
        "av",
        "filelock",
        "msgspec",
        "numpy",
        "onnx",
        "onnxruntime",
        "opencv-python",
        "platformdirs",
        "pydantic",
    ),
    *("pyyaml", "pyzmq", "rich", "torch", "ultralytics"),
)
BAD = {
    "ultralytics": (
        ("8.3.41", "8.3.42", "8.3.45", "8.3.46"),
        "was compromised on the package index: it carries a stranger's program",
    ),
}
# Distributions that put their files into one and the same folder: the last one installed wins.
RIVALS = {
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
}
# Ultralytics looks for the network and installs packages by itself unless it is told not to.
_QUIET = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What modules said of themselves when they were loaded."""

    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, module: str) -> Mapping[str, Any]:
        """What it said; empty where it did not load."""
        return {} if "error" in self.said.get(module, {}) else self.said.get(module, {})

    def loads(self, module: str) -> bool:
        """True where it was loaded."""
        return module in self.said and "error" not in self.said[module]


def _module(distribution: str) -> str:
    return MODULES.get(distribution, distribution.replace("-", "_"))


def load(modules: Sequence[str], timeout_s: float = LOAD_S) -> Loaded:
    """Load them in a process of their own; one that ends that is named, and the others go on in another."""
    said: dict[str, Mapping[str, Any]] = {}
    left = list(modules)
    with ExitStack() as folders:
        quiet = dict(_QUIET)
        with suppress(OSError):  # a full disk; then it finds a place by itself
            quiet["YOLO_CONFIG_DIR"] = folders.enter_context(tempfile.TemporaryDirectory())
        return _loaded(left, said, timeout_s, quiet)


def _loaded(
    left: list[str], said: dict[str, Mapping[str, Any]], timeout_s: float, quiet: Mapping[str, str]
) -> Loaded:
    while left:
        answer = child.ask([str(child.IMPORTS), *left], timeout_s, quiet)
        for line in answer.lines:
            if line.get("module") in left:
                left.remove(line["module"])
                said[line["module"]] = line
        if left:  # it died in the middle of the first one that it did not speak of
            said[left.pop(0)] = {"error": answer.failure or "its process ended", "missing": False}
    return Loaded(said)


def wanted() -> tuple[Requirement, ...]:
    """What has to be there: what our own metadata ask for, or the bare names in a checkout."""
    asked = tuple(one for one in requirements() if one.extra is None)
    return asked or tuple(Requirement(name) for name in NEEDED)


def modules() -> list[str]:
    """What is to be loaded, in an order that names the culprit: who leans on others comes later."""
    names = [_module(one.name) for one in wanted() if not _bad(one.name)]
    more = ["openvino"] if version_of("openvino") else []
    return sorted({*names, *more}, key=lambda name: (name == "ultralytics", name))


def section(loaded: Loaded) -> Section:
    """A line for each library that is not as it should be, one for those that are."""
    found: list[Finding] = []
    fine: list[str] = []
    for one in wanted():
        finding = _judged(one, loaded)
        if finding is None:
            fine.append(f"{one.name} {version_of(one.name) or ''}".strip())
        else:
            found.append(finding)
    found += _rivals()
    found += _torchvision()
    head = [good("as wanted", ", ".join(fine))] if fine else []
    if not requirements():
        text = "Freshframe is not installed as a package: which versions it wants is not known"
        found.append(
            warning("freshframe", text, "in the checkout: pip install --constraint constraints.txt -e .")
        )
    return Section("Libraries", (*head, *found))


def _judged(one: Requirement, loaded: Loaded) -> Finding | None:
    version, module = version_of(one.name), _module(one.name)
    bound = f"{one.name}>={one.at_least}" if one.at_least else one.name
    if _bad(one.name):
        advice = f"{pip()} install --upgrade '{bound}', change what this machine's passwords open"
        return problem(one.name, f"{version} {BAD[one.name][1]}", advice)
    said = loaded.said.get(module, {})
    if said.get("missing"):
        return problem(one.name, "is not there", f"{pip()} install '{bound}'")
    if "error" in said:
        text = f"{version or 'unknown version'} does not load: {said['error']}"
        return problem(one.name, text, f"{pip()} install --force-reinstall '{bound}'")
    if version is not None and one.at_least and older(version, one.at_least):
        text = f"{version} is older than {one.at_least}, which Freshframe needs"
        return problem(one.name, text, f"{pip()} install --upgrade '{bound}'")
    return None


def _bad(name: str) -> bool:
    """Known to do harm: it must not even be loaded."""
    return name in BAD and version_of(name) in BAD[name][0]


def _rivals() -> list[Finding]:
    found = []
    for name, others in RIVALS.items():
        for other in others:
            if version_of(name) and version_of(other):
                text = f"{other} is installed beside it, in the same folder: which one is used is chance"
                advice = f"{pip()} uninstall {other} {name}, then {pip()} install {name}"
                found.append(warning(name, text, advice))
    return found


def _torchvision() -> list[Finding]:
    """Nothing of ours loads it, so that it would not load is no finding; Ultralytics reads its version."""
    version, torch = version_of("torchvision"), version_of("torch")
    if version is None or torch is None:
        return []
    fits = [one.exactly for one in requirements("torchvision") if one.name == "torch" and one.exactly]
    if fits and not any(same_release(torch, exactly) for exactly in fits):
        text = f"{version} is made for torch {fits[0]}, and torch is {torch}"
        advice = f"{pip()} install --upgrade torchvision 'torch=={torch.partition('+')[0]}'"
        return [warning("torchvision", text, advice)]
    return []


def pip() -> str:
    """How pip of this very Python is called."""
    in_environment = sys.prefix != sys.base_prefix
    return "pip" if in_environment else f"{sys.executable} -m pip"


def harmful() -> bool:
    """True where something is installed that must not be loaded."""
    return any(map(_bad, BAD))
