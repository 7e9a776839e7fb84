"""Cameras, models and sinks as the user named them → a pipeline that is ready to start."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.camera import Camera, PictureWatch
from streamer.cli.networks import shared_by
from streamer.cli.plan import CameraPlan
from streamer.cli.wiring import build
from streamer.config.sink import JsonlConfig, SinkConfig, VideoConfig, WindowConfig
from streamer.contracts import Source
from streamer.errors import ConfigError
from streamer.gate import Beat, Gate
from streamer.pipeline import Pipeline
from streamer.sources import open_source
from streamer.sources.address import Address, Kind
from streamer.sources.listing import FILM_SUFFIXES


def assemble(cameras: Sequence[CameraPlan], sinks: Sequence[SinkConfig]) -> Pipeline:
    """Make every box, opening nothing. Raises ConfigError, AssetError, DetectorError."""
    _check_films(cameras, sinks)
    _spare_recordings(cameras, sinks)
    pipeline = Pipeline()
    for plan, detector in zip(cameras, shared_by(cameras), strict=True):
        source = _source(plan)
        camera = Camera(
            plan.name,
            source,
            max_fps=plan.max_fps,
            gates=_gates(plan),
            looking=plan.wishes,
            pictures=_pictures(source),
        )
        pipeline.add(camera, detector)
    for number, sink in enumerate(sinks):
        name = _unique(
            sink.use.rpartition(":")[2], [other.use.rpartition(":")[2] for other in sinks[:number]]
        )
        given = _given(sink)
        if isinstance(sink, WindowConfig):
            given["cameras"] = [plan.name for plan in cameras]
        if isinstance(sink, WindowConfig | VideoConfig):
            given["regions"] = {plan.name: plan.wishes.region for plan in cameras if plan.wishes.region}
        made = build(sink.use, given, f"sinks[{number}]", needs="write")
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


def _spare_recordings(cameras: Sequence[CameraPlan], sinks: Sequence[SinkConfig]) -> None:
    """Refuse to write over what is to be read: a slip of the hand must not cost a recording."""
    read = [plan.address for plan in cameras if plan.address.kind.local]
    for sink in sinks:
        if not isinstance(sink, JsonlConfig | VideoConfig):
            continue  # what the path of somebody else's sink means is not ours to know
        for plan in cameras:
            written = Path(sink.path.replace("{camera}", plan.name))
            if any(_belongs(written, address) for address in read):
                raise ConfigError(f"{sink.use}: {written} is the recording to be read; write elsewhere")


def _belongs(written: Path, address: Address) -> bool:
    """True where it is a recording's file, or would be one more of a folder of them."""
    try:
        if address.kind is Kind.FILMS and written.suffix.lower() in FILM_SUFFIXES:
            place = Path(address.text)
            return written.parent.samefile(place if place.is_dir() else place.parent)
        return written.samefile(address.text)
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
