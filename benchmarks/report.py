"""What a benchmark says: a table for people, JSON for programs; both with the machine and the versions."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.progress import tell
from benchmarks.rounds import Spread

FOLDER = Path(".bench")  # clips, peers' environments, results; git ignores it
PACKAGES = ("freshframe", "numpy", "opencv-python", "av", "onnxruntime", "torch", "ultralytics", "pyzmq")


@dataclass(frozen=True)
class Report:
    """The answer to one question."""

    number: str  # of the goal, as P6
    question: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[str]  # one sentence each: the goal, what was found, reached or not
    figures: Mapping[str, Any] = field(default_factory=dict)  # everything measured, for the JSON
    left_out: Sequence[str] = ()  # what could not be measured, and why

    def show(self) -> None:
        """Print the table."""
        console = Console(width=None if sys.stdout.isatty() else 130, highlight=False)
        table = Table(box=box.SIMPLE_HEAD, title=f"{self.number}: {self.question}", title_justify="left")
        for index, column in enumerate(self.columns):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)
        for line in (*self.verdicts, *(f"not measured: {text}" for text in self.left_out)):
            console.print(line, soft_wrap=True)
        console.print()

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "goal": self.number,
            "question": self.question,
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "versions": versions(),
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "verdicts": list(self.verdicts),
            "not_measured": list(self.left_out),
            "figures": self.figures,
        }
        path.write_text(json.dumps(document, indent=2, default=_plain, ensure_ascii=False) + "\n", "utf-8")


def arguments(
    doc: str | None, *, quick: str = "", seed: int | None = None, rounds: int | None = None
) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes, and with what several do.

    `quick`: what it asks less of. `seed`, `rounds`: the default. Left out: it takes no such thing.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    if quick:
        parser.add_argument("--quick", action="store_true", help=quick)
    if seed is not None:
        parser.add_argument("--seed", type=int, default=seed)
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds, help="default %(default)s")
    return parser


def finish(report: Report, args: argparse.Namespace) -> None:
    """Show a report, and write it where that was asked for."""
    tell("")
    report.show()
    if args.json:
        report.write(args.json)


def verdict(what: str, found: float, bound: str, goal: float, unit: str = "", digits: int = 2) -> str:
    """One sentence; `bound` is ≥ or ≤."""
    reached = found >= goal if bound == "≥" else found <= goal
    text = f"{what}: {found:.{digits}f}{unit}, goal {bound} {goal:g}{unit}"
    return f"{text}: reached" if reached else f"{text}: falls short"


def machine() -> str:
    """Which processor, how many cores, which system."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{name}, {cores} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def versions() -> dict[str, str]:
    """Of the packages that matter for speed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _plain(value: object) -> object:
    if isinstance(value, Spread):
        return {"median": value.median, "low": value.low, "high": value.high, "values": list(value.values)}
    return str(value)
