"""Makes torchvision importable beside the CPU's torch, which peers need."""

import importlib
import sys
from pathlib import Path


def make_torchvision_work() -> None:
    """Call it before the peer is imported."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    importlib.import_module("torchvision_stub").install()
