"""Frames that could not be looked at: whose fault that is, and what is said of it."""

import logging
import time
from itertools import count
from typing import Any

import numpy as np
import pytest
from boxes import picture

from streamer import DetectorError, Frame, LazyPicture, ManualClock, Picture, Quality, Stale
from streamer.failures import BROKEN_AFTER, BROKEN_FOR_NS, Failures
from streamer.lane import Taken


@pytest.fixture(autouse=True)
def hears(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO, "freshframe")
    monkeypatch.setattr(logging.getLogger("freshframe"), "propagate", True)


class Failing:
    """Frames that fail one after the other, for longer than a detector that works ever does."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.failures = Failures(self.clock)
        self._index = count()

    def fail(self, error: Exception, shown: Picture | None = None) -> None:
        now_ns, index = time.monotonic_ns(), next(self._index)
        frame = Frame("gate", 0, index, now_ns, now_ns, None, None, True, Quality.FINE, shown or picture())
        self.failures.add(Taken(frame, None, {}, lambda: None), error)

    def for_long(self, make: Any) -> None:
        for _ in range(2 * BROKEN_AFTER):
            self.fail(*make())
            self.clock.advance(2 * BROKEN_FOR_NS / BROKEN_AFTER / 1e9)


def test_a_detector_that_fails_on_everything_is_broken() -> None:
    failing = Failing()
    failing.for_long(lambda: (ValueError("no"),))
    with pytest.raises(DetectorError, match="failed on 40 frames in a row, at last with ValueError: no"):
        failing.failures.check()
    with pytest.raises(DetectorError, match="on every frame"):
        failing.failures.check_end()


def test_pictures_that_were_overwritten_are_not_its_fault(caplog: pytest.LogCaptureFixture) -> None:
    failing, number = Failing(), count()
    failing.for_long(lambda: (Stale(f"picture {next(number)} was overwritten"),))
    failing.failures.check()
    failing.failures.check_end()
    assert failing.failures.of("gate") == {"overwritten": 40}
    assert len(caplog.records) == 1, "each text holds another number"
    assert "picture 0 was overwritten" in caplog.records[0].getMessage()


def test_pictures_that_cannot_be_read_are_not_its_fault_but_nothing_is_no_success() -> None:
    def broken() -> tuple[Exception, Picture]:
        def convert() -> Any:
            raise ValueError("not to be converted")

        shown = LazyPicture((16, 12), convert)
        with pytest.raises(ValueError) as refused:
            shown.bgr()
        return refused.value, shown

    failing = Failing()
    failing.for_long(broken)
    failing.failures.check()
    with pytest.raises(DetectorError, match="not to be converted"):
        failing.failures.check_end()


def test_an_error_without_a_text_is_counted_too(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    failing = Failing()
    failing.fail(Odd(), LazyPicture((16, 12), lambda: np.zeros((12, 16, 3), np.uint8)))
    assert failing.failures.of("gate") == {"detector": 1}
    assert "Odd" in caplog.text
