"""`freshframe demo`: the main job on real video, live, with nothing to set up."""

import argparse
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.assets import fetch, find
from streamer.assets.display import shown
from streamer.cli.assemble import assemble
from streamer.cli.child import cameras, running
from streamer.cli.console import say
from streamer.cli.plan import CameraPlan
from streamer.cli.session import run_from_ready
from streamer.config.model import ModelConfig
from streamer.config.sink import JsonlConfig, SinkConfig, VideoConfig, WindowConfig, ZmqConfig
from streamer.errors import ConfigError
from streamer.sources.address import parse_address

CAMERAS = ("street", "corner")
SECONDS = 15.0
PORT = 5555
SHOWN_EVERY = 61  # one message in so many is shown; odd, so that both cameras come up

_log = logging.getLogger("freshframe")

EXAMPLES = """\
example:
  freshframe demo --out seen         the videos are in the folder `seen` then
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` to the command line."""
    parser = subparsers.add_parser("demo", help="watch two live cameras made of a real clip", epilog=EXAMPLES)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-out"),
        metavar="FOLDER",
        help="where the videos go; default %(default)s",
    )
    parser.add_argument("--show", action="store_true", help="show it live in a window too")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    with shown() as progress:
        clip = fetch(find("bikes"), progress=progress)
        fetch(find("yolo26n"), progress=progress)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"--out {args.out}: that is a file; give a folder") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigError(f"--out {args.out}: cannot be made a folder: {why}; give another") from error
    say("playing a clip as two live RTSP cameras, looking at them with YOLO26n…")
    endpoint = f"tcp://127.0.0.1:{_free_port()}"
    with cameras([clip] * len(CAMERAS)) as urls:
        sinks: list[SinkConfig] = [
            ZmqConfig(use="zmq", endpoint=endpoint, required=True),
            JsonlConfig(use="jsonl", path=str(args.out / "detections.jsonl"), required=True),
            VideoConfig(use="video", path=str(args.out / "{camera}.mp4"), required=True),
        ]
        if args.show:
            sinks.append(WindowConfig(use="window"))
        plans = [
            CameraPlan(name, parse_address(url), ModelConfig())
            for name, url in zip(CAMERAS, urls, strict=True)
        ]
        with _listening(endpoint):
            status = run_from_ready(assemble(plans, sinks), SECONDS)
    videos = [args.out / f"{name}.mp4" for name in CAMERAS]
    if all(video.exists() for video in videos):
        say(f"annotated video: {' and '.join(map(str, videos))}")
    say(f"detections, one JSON message a line: {args.out / 'detections.jsonl'}")
    return status


@contextmanager
def _listening(endpoint: str) -> Iterator[None]:
    """`freshframe listen` beside us, as anybody's program would; some of its lines are shown."""
    with running("listen", endpoint) as process:

        def show() -> None:
            assert process.stdout is not None
            for number, line in enumerate(process.stdout):
                if number % SHOWN_EVERY == 0:
                    _log.info("subscriber: %s", line.rstrip())

        reader = threading.Thread(target=show, name="demo's subscriber")
        reader.start()
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            reader.join()


def _free_port() -> int:
    """The usual port where it is free, so that others can listen too; or else any."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    return PORT
