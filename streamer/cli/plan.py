"""The cameras of a configuration or of a command line, as plain values."""

from collections.abc import Collection
from dataclasses import dataclass

from streamer.config import Config
from streamer.config.model import DetectorConfig, ModelConfig, wanted_of
from streamer.looking import Looking
from streamer.sources.address import Address, parse_address
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
    looking: Looking | None = None  # None: as its model says

    @property
    def wishes(self) -> Looking:
        """What is wanted of it."""
        return self.looking or wanted_of(self.model)


def plans(config: Config, environment: Collection[str] = ()) -> list[CameraPlan]:
    """The cameras of a checked configuration, in its order; `environment`: what came from there."""
    return [
        CameraPlan(
            name=name,
            address=parse_address(camera.source, environment=environment),
            model=camera.model or config.model,
            options=camera.options,
            isolation=camera.isolation,
            max_fps=camera.max_fps,
            detect_fps=camera.detect_fps,
            on_motion=camera.detect == "on_motion",
            looking=camera.looking(camera.model or config.model),
        )
        for name, camera in config.cameras.items()
    ]
