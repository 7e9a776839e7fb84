"""Run the suite: `python -m benchmarks [--full] [--json FOLDER]`."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report import FOLDER

SHORT = ("throughput", "peers", "freshness", "delivery")
FULL = (
    *SHORT,
    "overload",
    "backlog",
    "decoding",
    "own_cost",
    "timestamps",
    "accuracy",
    "publishing",
    "starting",
    "memory",
    "motion",
    "subscribers",
    "isolation",
    "picture_health",
)


def main() -> None:
    """One process for each, so that none inherits another's threads and memory. Status 1 if one failed."""
    parser = argparse.ArgumentParser(
        description="Performance, each figure beside its peer or its physical limit."
    )
    parser.add_argument("--full", action="store_true", help="P1 to P13, R4, R7, R12; default P1, P2, P6, P8")
    parser.add_argument("--json", type=Path, default=FOLDER / "results", metavar="FOLDER")
    args = parser.parse_args()
    failed = []
    for name in FULL if args.full else SHORT:
        started = time.monotonic()
        more = ["--all"] if args.full and name == "peers" else []
        command = [
            sys.executable,
            "-m",
            f"benchmarks.{name}",
            "--json",
            str(args.json / f"{name}.json"),
            *more,
        ]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
        print(f"({name}: {time.monotonic() - started:.0f} s)\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
