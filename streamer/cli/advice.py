"""What is allowed in a configuration, but will not work well: where, why, and what to do instead.

No camera is opened: what only a connection can tell, `freshframe doctor SOURCE` says.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from glob import has_magic
from pathlib import Path
from urllib.parse import urlsplit

from streamer import display
from streamer.cli.plan import CameraPlan
from streamer.config import Config, Loaded
from streamer.config.hidden import secret_beside_a_variable
from streamer.config.model import ModelConfig
from streamer.config.problems import KeyPath, Problem
from streamer.config.sink import JsonlConfig, VideoConfig, WindowConfig, ZmqConfig, only_this_machine
from streamer.cores import physical_cores
from streamer.sources.address import Kind
from streamer.sources.redaction import secret_parameters
from streamer.sources.substreams import substream

# A network that sees more than this wants more than substreams mostly have.
_SUBSTREAM_SUFFICES = 960


def advice(loaded: Loaded, cameras: Sequence[CameraPlan]) -> Iterator[Problem]:
    """Each thing that is worth a warning, in no order."""
    yield from _secrets_in_the_file(loaded, cameras)
    yield from _main_streams(loaded, cameras)
    yield from _same_address(cameras)
    yield from _not_there(loaded, cameras)
    yield from _rates_and_sizes(cameras)
    yield from _sinks(loaded.config)
    yield from _unwritable(loaded)


def _secrets_in_the_file(loaded: Loaded, cameras: Sequence[CameraPlan]) -> Iterator[Problem]:
    for camera in cameras:
        path: KeyPath = ("cameras", camera.name, "source")
        if camera.address.kind.network and (
            secret_beside_a_variable(loaded.document.tree["cameras"][camera.name]["source"])
            if path in loaded.hidden
            else _has_secret(camera.address.text)
        ):
            name = f"{camera.name.upper().replace('-', '_')}_PASSWORD"
            if name[0].isdigit():  # which no variable's name may begin with
                name = f"CAMERA_{name}"
            yield Problem(
                path,
                f"a password stands in the file, for whoever reads it; write ${{{name}}} in its place and "
                f"set {name} in the environment",
            )
    for number, sink in enumerate(loaded.config.sinks):
        path = ("sinks", number, "curve", "secret_key")
        if isinstance(sink, ZmqConfig) and sink.curve is not None and path not in loaded.hidden:
            yield Problem(
                path,
                "the secret key stands in the file, for whoever reads it; write ${ZMQ_SECRET_KEY} in its "
                "place and set ZMQ_SECRET_KEY in the environment",
            )


def _has_secret(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.password) or bool(secret_parameters(parts.query))


def _main_streams(loaded: Loaded, cameras: Sequence[CameraPlan]) -> Iterator[Problem]:
    for camera in cameras:
        path: KeyPath = ("cameras", camera.name, "source")
        instead = substream(camera.address.text)
        imgsz = camera.model.imgsz if isinstance(camera.model, ModelConfig) else 0
        if instead is None or imgsz > _SUBSTREAM_SUFFICES or camera.wishes.look_at == "region":
            continue
        sees = f"the network sees {imgsz} pixels of it" if imgsz else "decoding it costs that much"
        shown = substream(loaded.text_at(path, camera.address.text)) or "that one"
        yield Problem(
            path,
            f"this looks like the camera's main stream, several times the work of its substream, and {sees}; "
            f"try {shown} (`freshframe doctor` tells the size of either)",
        )


def _same_address(cameras: Sequence[CameraPlan]) -> Iterator[Problem]:
    readers: dict[str, list[str]] = defaultdict(list)
    for camera in cameras:
        if camera.address.kind.network or camera.address.kind is Kind.USB:
            readers[camera.address.text].append(camera.name)
    for names in readers.values():
        if len(names) > 1:
            yield Problem(
                ("cameras", names[1], "source"),
                f"{' and '.join(names)} read the same address: cameras serve few connections, and each is "
                "decoded on its own. One camera may have several polygons in its region",
            )


def _not_there(loaded: Loaded, cameras: Sequence[CameraPlan]) -> Iterator[Problem]:
    for camera in cameras:
        path: KeyPath = ("cameras", camera.name, "source")
        place = camera.address.text
        if camera.address.kind.local and not has_magic(place) and not Path(place).exists():
            yield Problem(path, f"there is no {loaded.text_at(path, place)}; `run` cannot read it")


def _rates_and_sizes(cameras: Sequence[CameraPlan]) -> Iterator[Problem]:
    for camera in cameras:
        reached = min((rate for rate in (camera.max_fps, camera.options.fps) if rate), default=None)
        if camera.detect_fps and reached and camera.detect_fps >= reached:
            yield Problem(
                ("cameras", camera.name, "detect_fps"),
                f"it changes nothing: no more than {reached:g} frames a second come; leave it out, or ask "
                "for less",
            )
        size = camera.options.size
        if size and isinstance(camera.model, ModelConfig) and camera.model.imgsz > max(size):
            fits = max(32, max(size) // 32 * 32)
            yield Problem(
                ("cameras", camera.name, "size"),
                f"the network's input of {camera.model.imgsz} is larger than the picture of "
                f"{size[0]}x{size[1]}: that costs time and shows nothing more; give imgsz: {fits}, or a "
                "larger size",
            )


def _sinks(config: Config) -> Iterator[Problem]:
    cores = physical_cores()
    for number, sink in enumerate(config.sinks):
        path: KeyPath = ("sinks", number)
        match sink:
            case ZmqConfig(insecure=True, curve=None) if not only_this_machine(sink.endpoint):
                yield Problem(
                    (*path, "insecure"),
                    "whoever reaches this machine can read what is seen, unencrypted; give keys (`curve:`), "
                    "or listen on 127.0.0.1",
                )
            case VideoConfig() if len(config.cameras) > cores:
                yield Problem(
                    path,
                    f"{len(config.cameras)} films are encoded at once on {cores} cores, which detection "
                    "wants too; write jsonl instead, or look less often (`detect_fps`)",
                )
            case WindowConfig() if why := display.missing():
                yield Problem(
                    path,
                    f"there is no display here: {why}; run it on a desktop, or leave the window out",
                )


def _unwritable(loaded: Loaded) -> Iterator[Problem]:
    for number, sink in enumerate(loaded.config.sinks):
        path: KeyPath = ("sinks", number, "path")
        if isinstance(sink, JsonlConfig | VideoConfig) and (found := _in_the_way(Path(sink.path))):
            place, why = found
            shown = "its place" if path in loaded.hidden else place
            yield Problem(path, f"{shown} {why}; write elsewhere, or mend that first")


def _in_the_way(path: Path) -> tuple[Path, str] | None:
    """Why a file, whose folder is made where there is none, cannot be written: what, and what of it."""
    try:
        if path.is_dir():
            return path, "is a folder"
        there = next(folder for folder in path.parents if folder.exists())
        if not there.is_dir():
            return there, "is no folder"
    except OSError as error:
        return path, f"cannot be looked for: {error.strerror}"
    return None if os.access(there, os.W_OK) else (there, "may not be written to")
