"""What tests share: where the data is, and models and clips out of the catalogue."""

import os
from pathlib import Path

import pytest

from streamer.assets import fetch, find

CI = os.environ.get("CI") == "true"


def missing(what: str) -> None:
    """Skip for want of something; in CI that is a failure, for there it has to be."""
    if CI:
        pytest.fail(f"{what} (CI must have it)")
    pytest.skip(what)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with test videos, pictures and models; a newcomer's clone has none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FRESHFRAME_DATA", beside))
    if not folder.is_dir():
        missing("the data folder is not there: set FRESHFRAME_DATA")
    return folder


@pytest.fixture(scope="session")
def yolo26n() -> Path:
    """Weights of the default model, from the cache or from where they are served."""
    return fetch(find("yolo26n"))


@pytest.fixture
def hardly_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a network runs best is found out in seconds; test_tuning.py sees to that."""
    monkeypatch.setattr("detectors.yolo.cpu.tuning.BUDGET_S", 0.2)


@pytest.fixture(scope="session")
def bikes() -> Path:
    """The demo's clip: ten seconds, 640×272, with B-frames."""
    return fetch(find("bikes"))
