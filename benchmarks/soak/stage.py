"""The watched program with everything round it: cameras, a small disk, a port for its messages."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import LOOPBACK, free_port
from benchmarks.soak.small import small_clip

CUT = 12  # cameras that are cut off again and again
SIZED = 2  # … that change their size
TROUBLED = 2  # … that have all else; the last one has a process of its own
NAMES = (
    *(f"cut{number}" for number in range(CUT)),
    *(f"size{number}" for number in range(SIZED)),
    *(f"trouble{number}" for number in range(TROUBLED)),
)
DISK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    watched: subprocess.Popen[bytes]
    control_port: int
    endpoint: str
    disk: Path | None  # None where no small disk could be had
    inside: Path  # what malloc has handed out there
    log: Path


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """`freshframe fakecam` and `freshframe run`, each in a process of its own, as long as the block lasts.

    Raises RuntimeError.
    """
    clips = [small_clip(folder / f"{name}.mp4", seed) for seed, name in enumerate(NAMES)]
    log = folder / "said.txt"
    with ExitStack() as stack:
        port = free_port()
        words = ("fakecam", *map(str, clips), "--port", "0", "--control", str(port))
        cameras = stack.enter_context(
            _running(command(*words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        )
        assert cameras.stdout is not None
        ready = [cameras.stdout.readline().split() for _ in clips]
        if any(line[:1] != [b"ready"] for line in ready):
            raise RuntimeError("the test cameras did not start; `freshframe fakecam` may say why")
        urls = [line[1].decode() for line in ready]
        endpoint = f"tcp://{LOOPBACK}:{free_port()}"
        small, inside = folder / "disk", folder / "inside.txt"
        small.mkdir()
        config = folder / "cameras.yaml"
        config.write_text(configuration(urls, endpoint, small, inside), "utf-8")
        line = command("run", str(config))
        has_disk = shutil.which("unshare") is not None and _can_mount(small)
        if has_disk:
            line = _with_disk(small, line)
        said = stack.enter_context(log.open("wb"))
        watched = stack.enter_context(_running(line, stderr=said))
        disk = Path(f"/proc/{watched.pid}/root") / small.resolve().relative_to("/") if has_disk else None
        yield Stage(watched, port, endpoint, disk, inside, log)


def configuration(urls: Sequence[str], endpoint: str, disk: Path, inside: Path) -> str:
    """JSON, which is YAML: what `freshframe run` is to do."""
    return json.dumps(
        {
            "model": {"use": "detectors.oracle:Oracle", "max_batch": 4},
            "cameras": {
                name: {"source": url} | ({"isolation": "process"} if name == NAMES[-1] else {})
                for name, url in zip(NAMES, urls, strict=True)
            },
            "sinks": [
                {"use": "zmq", "endpoint": endpoint},
                {"use": "jsonl", "path": str(disk / "out.jsonl")},
                {"use": "video", "path": str(disk / "{camera}.mp4")},
                {"use": "benchmarks.soak.inside:Inside", "path": str(inside)},
            ],
        }
    )


def command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "streamer", *words]


@contextmanager
def _running(
    line: Sequence[str], stdout: int = subprocess.DEVNULL, stderr: object = None
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment)  # type: ignore[call-overload]
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def _with_disk(folder: Path, line: Sequence[str]) -> list[str]:
    """The command with a small memory disk of its own there; needs no rights (user_namespaces(7))."""
    script = f'mount -t tmpfs -o size={DISK_BYTES} none "$0" && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder), *line]


def _can_mount(folder: Path) -> bool:
    return subprocess.run(_with_disk(folder, ["true"]), capture_output=True, check=False).returncode == 0
