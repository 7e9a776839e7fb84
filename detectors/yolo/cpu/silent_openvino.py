"""OpenVINO, kept from telling its maker: its import alone asks for an address on the network."""

import importlib
import sys
from typing import Any

# Without this package neither it nor nncf can, and both do without. `None` is Python's own way to
# forbid an import.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
openvino: Any = importlib.import_module("openvino")
