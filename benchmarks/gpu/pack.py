"""Gather what `benchmarks.gpu.run` needs on a GPU machine without network, in .bench/gpu.

    python -m benchmarks.gpu.pack [--pictures FOLDER]

Wheels for Python 3.12 on Linux, the weights, some pictures and a clip; all of it under 60 MiB. The folder
is ignored by git: carry it to the machine beside the checkout. torch, numpy and OpenCV are there already.
"""

import argparse
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av

from streamer.assets import fetch, find
from streamer.sources import open_source, parse_address

FOLDER = Path(".bench/gpu")
LARGEST = 60 * 2**20
# What `import ultralytics.nn.tasks` and `predict` load, and what our own code does. torchvision goes with
# torch 2.11; ultralytics asks for its version. PyAV (33 MiB) and PyNvVideoCodec (26 MiB) do not both fit.
PINNED = ("ultralytics==8.4.190", "torchvision==0.26.0", "PyNvVideoCodec==2.2.4")
WHEELS = (*PINNED, "filelock", "msgspec", "platformdirs", "pillow", "psutil", "pyyaml")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64")
PICTURES = 24


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, help="JPEGs to compare boxes on; else synthetic ones")
    args = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    download()
    shutil.copyfile(fetch(find("yolo26n")), FOLDER / "yolo26n.pt")
    if args.pictures:
        target = FOLDER / "pictures"
        target.mkdir(exist_ok=True)
        every = sorted(args.pictures.glob("*.jpg"))
        for path in every[:: max(1, len(every) // PICTURES)][:PICTURES]:
            shutil.copyfile(path, target / path.name)
    make_clip(FOLDER / "clip.mp4")
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    sys.stdout.write(f"{FOLDER}: {size / 2**20:.1f} MiB\n")
    if size > LARGEST:
        sys.exit(f"that is more than {LARGEST // 2**20} MiB: too much to carry")


def download() -> None:
    """The wheels, without what they depend on: only what is listed is needed."""
    target = FOLDER / "wheels"
    shutil.rmtree(target, ignore_errors=True)
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--python-version", "3.12", "--implementation", "cp", *platforms),
            *("--dest", str(target), *WHEELS),
        ],
        check=True,
    )


def make_clip(path: Path) -> None:
    """Two seconds of 1080p H.264 as a camera sends it, to try the hardware decoder on."""
    source_of = parse_address("synthetic:?size=1920x1080&fps=30&seed=3&count=60")
    with av.open(str(path), "w") as container, open_source(source_of) as source:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for index, captured in enumerate(source):
            frame = av.VideoFrame.from_ndarray(captured.picture.bgr(), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
