"""What does a GPU give? Correctness, P1, P2g, P3, P8, and whether NVDEC can be reached; ≤ 8 minutes.

    python -m benchmarks.gpu.run [--quick] [--device cuda:0] [--json FILE]

Wants what `benchmarks.gpu.pack` gathered in .bench/gpu. With --device cpu it runs anywhere, which
shows that it works, and no more. What does not fit into the time is left out and named. A machine that
brings back only one folder, say $OUT, wants --json $OUT/result.json.
"""

import argparse
import json
import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.gpu import packed

LIMIT_S = 8 * 60
LARGEST_SHARE = 0.35  # of the time that one question may want; another is begun only when that is left

DECODERS_S = 40

packed.unpack_wheels()
packed.keep_quiet()

import torch  # noqa: E402  (ultralytics reads its settings, and the wheels lie on the path, from here on)

from benchmarks.gpu import apart, questions  # noqa: E402
from benchmarks.gpu.questions import Answer, Plan  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true", help="small sizes, two rounds: to try it out")
    parser.add_argument("--json", type=Path, default=packed.FOLDER / "result.json", metavar="FILE")
    args = parser.parse_args()
    plan = plan_of(args.device, quick=args.quick)
    started = time.monotonic()
    document: dict[str, Any] = {"machine": machine(args.device), "plan": vars(plan) | {"quick": args.quick}}
    say(document["machine"])
    asked: list[Callable[[Plan], Answer]] = [
        lambda _: decoders(),
        questions.equal_boxes,
        questions.pipeline_and_bare,
        questions.cameras_at_30_fps,
        questions.predict_and_eager,
        questions.other_ways,
    ]
    document["answers"] = []
    for question in asked:
        spent = time.monotonic() - started
        if spent > LIMIT_S * (1 - LARGEST_SHARE):
            answer = Answer(getattr(question, "__name__", "?"), ["left out: the time is over"], {})
        else:
            answer = ask(question, plan)
        say([f"\n{answer.title}  [{time.monotonic() - started - spent:.0f} s]", *answer.lines])
        document["answers"].append(vars(answer))
        # After each: what is measured is kept whatever happens to the rest.
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n", "utf-8")


def ask(question: Callable[[Plan], Answer], plan: Plan) -> Answer:
    """A question that fails is an answer, too; the others are still asked."""
    try:
        return question(plan)
    except Exception as error:
        traceback.print_exc()
        name = getattr(question, "__name__", "?")
        return Answer(name, [f"failed: {type(error).__name__}: {error}"], {"error": str(error)})


def decoders() -> Answer:
    """Whether the hardware decoder can be reached."""
    found = apart.asked("benchmarks.gpu.nvdec", [str(packed.FOLDER / "clip.mp4")], DECODERS_S)
    return Answer("NVDEC", [f"{way}: {said}" for way, said in found.items()], found)


def plan_of(device: str, *, quick: bool) -> Plan:
    """How much is measured where."""
    if not device.startswith("cuda"):
        return Plan(device, 320, (1, 2), 2, 0.5, "yolo26n", (640, 360))
    if quick:
        return Plan(device, 640, (1, 8, 32), 2, 0.5, "yolo26m", (1920, 1080))
    return Plan(device, 640, (1, 2, 4, 8, 16, 32), 5, 1.0, "yolo26m", (1920, 1080))


def machine(device: str) -> list[str]:
    """Which machine, which versions."""
    lines = [
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}"
    ]
    if device.startswith("cuda"):
        about = torch.cuda.get_device_properties(device)
        lines.append(f"{about.name}, {about.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}")
    return lines


def say(lines: list[str]) -> None:
    """One below the other, at once: the run may be cut off."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
