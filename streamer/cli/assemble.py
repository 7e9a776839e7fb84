"""Cameras, models and sinks as the user named them → a pipeline that is ready to start."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.camera import Camera, PictureWatch
from streamer.cli.wiring import YOLO, build
from streamer.config.model import DetectorConfig, ModelConfig
from streamer.config.sink import JsonlConfig, SinkConfig, VideoConfig
from streamer.contracts import Detector, Source
from streamer.errors import ConfigError
from streamer.gate import Beat, Gate
from streamer.pipeline import Pipeline
from streamer.sources import open_source
from streamer.sources.address import Address, Kind
from streamer.sources.options import SourceOptions


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """One camera as the user wants it."""

    name: str
    address: Address
    model: ModelConfig | DetectorConfig
    options: SourceOptions = SourceOptions()  # noqa: RUF009 - frozen
    isolation: str = "thread"
    max_fps: float | None = None
    detect_fps: float | None = None
    on_motion: bool = False


def assemble(cameras: Sequence[CameraPlan], sinks: Sequence[SinkConfig]) -> Pipeline:
    """Make every box, opening nothing. Raises ConfigError, AssetError, DetectorError."""
    _check_films(cameras, sinks)
    _spare_recordings(cameras, sinks)
    pipeline = Pipeline()
    detectors: dict[str, Detector] = {}
    for plan in cameras:
        key = plan.model.model_dump_json()
        if key not in detectors:
            detectors[key] = detector_for(plan.model)
        source = _source(plan)
        pictures = _pictures(source)
        camera = Camera(plan.name, source, max_fps=plan.max_fps, gates=_gates(plan), pictures=pictures)
        pipeline.add(camera, detectors[key])
    for number, sink in enumerate(sinks):
        name = _unique(
            sink.use.rpartition(":")[2], [other.use.rpartition(":")[2] for other in sinks[:number]]
        )
        made = build(sink.use, _given(sink), f"sinks[{number}]", needs="write")
        pipeline.sink(made, name, required=sink.required)
    return pipeline


def _source(plan: CameraPlan) -> Source:
    if plan.isolation == "process":
        from streamer.isolation import Isolated  # noqa: PLC0415 - PyAV loads here

        return Isolated(plan.address, plan.options)
    return open_source(plan.address, plan.options)


def _pictures(source: Source) -> PictureWatch | None:
    """Who looks whether it is dark or frozen: a recording is what it is, and its pictures may stand still."""
    if not source.live:
        return None
    from streamer.quality import watch  # noqa: PLC0415 - OpenCV loads here

    return watch.PictureWatch()


def _gates(plan: CameraPlan) -> list[Gate]:
    gates: list[Gate] = []
    if plan.detect_fps:
        gates.append(Beat(plan.detect_fps, "detect_fps"))
    if plan.on_motion:
        from streamer.motion import Motion  # noqa: PLC0415 - OpenCV loads here

        gates.append(Motion())
    return gates


def detector_for(model: ModelConfig | DetectorConfig) -> Detector:
    """The detector that a model's configuration describes."""
    made: Detector
    if isinstance(model, DetectorConfig):
        made = build(model.use, model.arguments(), "model", needs="detect")
    else:
        arguments = model.model_dump()
        made = build(YOLO, {"name_or_path": arguments.pop("name"), **arguments}, "model")
    return made


def _spare_recordings(cameras: Sequence[CameraPlan], sinks: Sequence[SinkConfig]) -> None:
    """Refuse to write over what is to be read: a slip of the hand must not cost a recording."""
    read = [plan.address.text for plan in cameras if plan.address.kind in (Kind.FILE, Kind.PICTURES)]
    for sink in sinks:
        if not isinstance(sink, JsonlConfig | VideoConfig):
            continue  # what the path of somebody else's sink means is not ours to know
        for plan in cameras:
            written = Path(sink.path.replace("{camera}", plan.name))
            if any(_same(written, Path(path)) for path in read):
                raise ConfigError(f"{sink.use}: {written} is the recording to be read; write elsewhere")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there; if there is more to say, the sink says it
        return False


def _check_films(cameras: Sequence[CameraPlan], sinks: Sequence[SinkConfig]) -> None:
    for sink in sinks:
        if isinstance(sink, VideoConfig) and len(cameras) > 1 and "{camera}" not in sink.path:
            raise ConfigError(
                f"video: {sink.path} cannot hold {len(cameras)} cameras; write {{camera}} into it"
            )


def _given(sink: SinkConfig) -> dict[str, Any]:
    """The arguments that differ from the defaults: a sink of one's own need not know ours."""
    return {key: value for key, value in sink.arguments().items() if value is not None}


def _unique(name: str, taken: Sequence[str]) -> str:
    count = list(taken).count(name)
    return f"{name}-{count + 1}" if count else name
