"""What can run networks here, and how fast."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streamer.doctor.finding import Finding, Section, fact, good, problem, warning
from streamer.doctor.machine.installed import requirements, version_of
from streamer.doctor.machine.libraries import Loaded, pip
from streamer.doctor.wording import size_of

DEFAULT = "yolo26n"
SLOW_FPS = 5.0
FASTER = 1.3  # less is noise: they are measured one after the other


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a picture takes; or why there is no saying."""

    ms: float | None = None  # the median
    precision: str = ""
    failure: str = ""
    not_made: bool = False  # it wants something that the user has to make first


Measure = Callable[[str, str], Speed]  # an engine's name and a device


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine on a device, by the names that `--engine` and `--device` know."""

    engine: str
    device: str
    module: str
    about: str


CPU = (
    Engine("onnx", "cpu", "onnxruntime", "ONNX Runtime"),
    Engine("openvino", "cpu", "openvino", "OpenVINO"),
    Engine("openvino-int8", "cpu", "openvino", "OpenVINO"),
)


def section(loaded: Loaded, measure: Measure | None, why_not: str = "") -> Section:
    """`measure` is None where nothing can be measured; then `why_not` says why."""
    found = [*_devices(loaded)]
    speeds: dict[str, float] = {}
    if measure is None:
        found.append(fact("speed", f"not measured: {why_not}"))
    for one in (*CPU, *_gpus(loaded)):
        if not loaded.loads(one.module):
            if one.engine != "openvino-int8":  # the same library once more
                found.append(_absent(one))
            continue
        speed = Speed() if measure is None else measure(one.engine, one.device)
        found.append(_spoken(one, speed))
        if speed.ms:
            speeds[one.engine] = speed.ms
    found += _advice(speeds)
    return Section("Engines", tuple(found))


def _gpus(loaded: Loaded) -> Iterator[Engine]:
    for number, one in enumerate(loaded.of("torch").get("devices", ())):
        yield Engine("torch", f"cuda:{number}", "torch", str(one.get("name", "GPU")))


def _devices(loaded: Loaded) -> Iterator[Finding]:
    torch = loaded.of("torch")
    if torch.get("devices"):
        for number, one in enumerate(torch["devices"]):
            yield good(f"cuda:{number}", f"{one.get('name')}, {size_of(one.get('memory', 0))}")
    elif torch.get("driver") and not torch.get("cuda"):
        text = "an NVIDIA driver is here, and this torch is built without CUDA"
        yield warning(
            "gpu", text, f"install it anew without constraints.txt: {pip()} install --force-reinstall torch"
        )
    elif torch.get("driver"):
        text = f"torch finds no GPU that it can use (it is built for CUDA {torch['cuda']})"
        yield warning(
            "gpu", text, "`nvidia-smi` says which CUDA the driver knows: a newer driver, or an older torch"
        )
    elif torch:
        yield fact("gpu", "no NVIDIA driver: networks run on the processor")


def _absent(one: Engine) -> Finding:
    if version_of(one.module) is not None:
        return fact(one.engine, f"{one.about} does not load")
    floor = next((r.at_least for r in requirements() if r.name == one.module and r.at_least), None)
    bound = f"{one.module}>={floor}" if floor else one.module
    return fact(one.engine, "not installed", f"{pip()} install '{bound}'")


def _spoken(one: Engine, speed: Speed) -> Finding:
    version = version_of(one.module)
    about = f"{one.about} {version}" if one.module != "torch" and version else one.about
    name = one.engine if one.device == "cpu" else f"{one.engine}, {one.device}"
    if speed.not_made:
        return fact(name, "has no int8 network yet", speed.failure.rpartition("Make one: ")[2])
    if speed.failure:
        return problem(name, f"{about}: {speed.failure}", "look at the libraries above; other engines may do")
    if speed.ms is None:
        return fact(name, about)
    fps = 1000 / speed.ms
    text = f"{speed.ms:.1f} ms a picture, {fps:.0f} a second ({DEFAULT}, 640, {speed.precision}; {about})"
    if fps < SLOW_FPS:
        return warning(
            name, text, "imgsz: 320 is four times as fast; detect_fps and detect: on_motion look less often"
        )
    return good(name, text)


def _advice(speeds: dict[str, float]) -> Iterator[Finding]:
    used = speeds.get("torch") or speeds.get("onnx")
    if not used or "torch" in speeds:
        return
    fastest = min(speeds, key=speeds.__getitem__)
    if used > FASTER * speeds[fastest]:
        text = f"{fastest}, {used / speeds[fastest]:.1f} times as fast as onnx"
        yield fact(
            "fastest", text, f"`freshframe bench --engine {fastest}` says what that is worth with cameras"
        )
