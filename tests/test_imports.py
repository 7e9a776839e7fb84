"""Who may import whom (law 13), and what `import streamer` may load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("streamer", "detectors", "sinks")

# What a leaf may know: values, contracts, errors, and what is published under streamer's own name.
PUBLIC = {
    "streamer",
    "streamer.assets",
    "streamer.clock",
    "streamer.contracts",
    "streamer.cores",
    "streamer.detections",
    "streamer.display",
    "streamer.errors",
    "streamer.evaluation",
    "streamer.event",
    "streamer.frame",
    "streamer.health",
    "streamer.opencv",
    "streamer.result",
    "streamer.sources",
    "streamer.sources.names",
    "streamer.watermark",
    "streamer.wire",
}

HEAVY = [
    "torch",
    "cv2",
    "av",
    "zmq",
    "onnxruntime",
    "ultralytics",
    "pydantic",
    "rich",
    "msgspec",
    "onnx",
    "yaml",
]


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    """Each file of a package: its path from the root, and what is in it."""
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, also within functions and by `importlib.import_module("…")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if name in ("import_module", "__import__") and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    yield str(first.value)
                elif isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
                    yield str(first.values[0].value)


def top(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_streamer_imports_no_leaf() -> None:
    wrong = [
        f"{path} imports {module}"
        for path, tree in modules("streamer")
        for module in imported(tree)
        if top(module) in ("detectors", "sinks")
    ]
    assert not wrong, wrong


@pytest.mark.parametrize(("package", "other"), [("detectors", "sinks"), ("sinks", "detectors")])
def test_leaves_know_streamers_public_names_and_not_each_other(package: str, other: str) -> None:
    wrong = [
        f"{path} imports {module}"
        for path, tree in modules(package)
        for module in imported(tree)
        if top(module) == other or (top(module) == "streamer" and module not in PUBLIC)
    ]
    assert not wrong, wrong


def test_import_streamer_is_light() -> None:
    code = "import sys, streamer; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {*HEAVY, "numpy"} & set(loaded.stdout.split())


def test_streamers_names_are_found_where_type_checkers_find_them() -> None:
    import streamer  # noqa: PLC0415 - the subject of the test

    tree = ast.parse(Path(streamer.__file__).read_text(encoding="utf-8"))
    said = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("streamer.")
        for alias in node.names
    }
    assert said == {name: f"streamer.{home}" for name, home in streamer._HOME_OF.items()}
    assert sorted(said) == list(streamer.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Pipelin'"):
        _ = streamer.Pipelin


def test_streamers_names_are_all_there() -> None:
    import streamer  # noqa: PLC0415 - the subject of the test

    assert list(streamer.__all__) == sorted(streamer.__all__)
    assert [name for name in streamer.__all__ if not hasattr(streamer, name)] == []


def test_opencv_runs_on_one_thread_wherever_it_is_used() -> None:
    own = [path for package in PACKAGES for path, tree in modules(package) if "cv2" in imported(tree)]
    assert own == ["streamer/opencv.py"]


def test_no_module_is_named_after_nothing_or_after_somebody_elses() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    taken = vague | set(sys.stdlib_module_names) | set(HEAVY)
    names = {Path(path).stem for package in PACKAGES for path, _ in modules(package)}
    assert not names & taken - {"__init__", "__main__"}
