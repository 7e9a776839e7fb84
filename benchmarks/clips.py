"""The clips that are looked at: the synthetic scene with its watermark, as cameras send it, made once."""

from pathlib import Path

from benchmarks.progress import tell
from benchmarks.report import FOLDER
from streamer.fakecam.film import film
from streamer.sources.pattern import Pattern


def clip(
    size: tuple[int, int] = (1280, 720),
    fps: int = 30,
    seconds: int = 30,
    seed: int = 0,
    keyframe_s: float = 1.0,
) -> Path:
    """H.264 without B-frames, a keyframe every `keyframe_s` s; the watermark's camera is `seed`."""
    keyframes = "" if keyframe_s == 1 else f"-key{keyframe_s:g}s"
    path = FOLDER / "clips" / f"{size[0]}x{size[1]}-{fps}fps-{seconds}s-{seed}{keyframes}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        tell(f"making {path.name}, once")
        part = path.with_suffix(".part.mp4")
        film(Pattern(size, float(fps), seed, fps * seconds), part, keyframe_s=keyframe_s)
        part.replace(path)
        tell("")
    return path
