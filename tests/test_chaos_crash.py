"""What the benchmark of decoder crashes does: one camera's process is killed; a program with threads ends."""

from pathlib import Path

import pytest

from benchmarks.processes import connected_to
from benchmarks.reliability.crash import crash_in_thread, kill_decoder
from streamer import SourceError
from streamer.fakecam import FakeCam
from tests import fakecam_clips
from tests.decoder_processes import gone, isolated

pytestmark = pytest.mark.timeout(60)
clip = fakecam_clips.clip


def test_only_the_decoder_of_the_camera_at_this_port_is_killed(clip: Path) -> None:
    with (
        FakeCam([clip]) as one,
        FakeCam([clip]) as other,
        isolated(one.urls[0]) as struck,
        isolated(other.urls[0]) as spared,
    ):
        pictures, others = iter(struck), iter(spared)
        next(pictures), next(others)
        pid = struck.pid
        assert pid is not None
        assert connected_to(pid, one.port)
        assert not connected_to(pid, other.port)
        kill_decoder(one.urls[0])
        with pytest.raises(SourceError, match=r"died \(signal 9\)"):
            list(pictures)
        assert gone(pid)
        for _ in range(60):  # more than there may be on the way
            next(others)
        with pytest.raises(RuntimeError, match="no decoder to kill"):
            kill_decoder("rtsp://127.0.0.1:1/cam0")


def test_a_crash_in_a_thread_leaves_no_camera() -> None:
    found = crash_in_thread()
    assert (found.cameras, found.left, found.ended_by) == (2, 0, "SIGSEGV")
