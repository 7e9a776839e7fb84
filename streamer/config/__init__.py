"""The configuration of `freshframe run`: a YAML file, checked as a whole before anything starts.

    load.py         path -> Config, or one ConfigError that lists every problem
    document.py     YAML text -> a plain tree; duplicate keys, bombs and odd tags are refused
    environment.py  ${NAME} -> its value, which counts as a secret from then on
    schema.py       the keys, their types and bounds (with part.py, model.py, camera.py, wanted.py, sink.py)
    problems.py     what was found, what is allowed
    hidden.py       what may be shown of a value
    resolved.py     what all of it comes to, without secrets
    json_schema.py  the keys as editors want to know them

Not imported by `import streamer`, for it needs pydantic and YAML.
"""

from streamer.config.load import Loaded, load, read
from streamer.config.model import DetectorConfig, ModelConfig
from streamer.config.schema import CameraConfig, Config
from streamer.config.sink import OwnSinkConfig, SinkConfig

__all__ = [
    "CameraConfig",
    "Config",
    "DetectorConfig",
    "Loaded",
    "ModelConfig",
    "OwnSinkConfig",
    "SinkConfig",
    "load",
    "read",
]
