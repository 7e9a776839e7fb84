"""Stopping, and what is known of a camera from the last time."""

from typing import cast

import pytest
import rtsp_reading
from rtsp_reading import error_of, sends, source
from scripted_camera import Asked, Scripted, reply, rtp, usual
from test_rtsp_units import H264_KEY, assembled, packets

from streamer.clock import MonotonicClock
from streamer.errors import Cause
from streamer.fakecam.clip import Clip
from streamer.rtsp import opening
from streamer.rtsp import playing as plays_on
from streamer.rtsp.doubt import Doubt
from streamer.rtsp.failures import Stopped
from streamer.rtsp.place import Place, Target
from streamer.rtsp.place import look_up as place_look_up
from streamer.rtsp.timing import Arrival
from streamer.sources import SourceOptions, rtsp
from streamer.sources.network import NetworkSource

pytestmark = pytest.mark.timeout(30)

clip, path = rtsp_reading.clip, rtsp_reading.path


def test_stopping_ends_a_burst_at_once() -> None:
    """What has come is not decoded to its end."""

    class Full:
        ended = False

        def take(self) -> list[Arrival]:
            (unit,) = assembled("h264", packets("h264", [[H264_KEY + b"k"]]))
            return [Arrival(unit, 0, 0, 0, None)] * 1000

    class Deaf:
        def picture(self, arrived_ns: int) -> None:
            pass

    one = source("rtsp://127.0.0.1/x")
    arrivals = one._arrivals(cast(plays_on.Playing, Full()), cast(Doubt, Deaf()))
    next(arrivals)
    next(arrivals)
    one.stop()
    with pytest.raises(Stopped):
        next(arrivals)


def test_a_source_that_was_stopped_leaves_nothing_to_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """While FFmpeg connects nothing ends it: it is not begun then."""
    opened: list[object] = []

    def enter(self: NetworkSource) -> NetworkSource:
        opened.append(self)
        return self

    monkeypatch.setattr(NetworkSource, "__enter__", enter)
    one = source("rtsp://127.0.0.1/\u00fc")  # not for us
    one.stop()
    assert error_of(one).cause is Cause.ENDED
    assert opened == []


def test_a_name_is_looked_up_only_where_what_is_known_leads_nowhere(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []

    def look_up(place: Place) -> list[Target]:
        looked_up.append(place.host)
        return place_look_up(place)

    monkeypatch.setattr(opening, "look_up", look_up)
    with Scripted(plays=sends(rtp(clip.units[:2]))) as camera:
        one = source(camera.url.replace("127.0.0.1", "localhost"))
        for _ in range(3):
            with one:
                assert len(list(one)) == 2
        with one.renew() as other:  # it knows the way, too
            assert len(list(other)) == 2
        assert looked_up == ["localhost"]
    for count in (1, 2, 2, 3):  # every second time: the resolver may be what hangs
        error_of(one)
        assert len(looked_up) == count


def test_a_renewed_source_knows_what_the_old_one_found_out(clip: Clip) -> None:
    def answers(asked: Asked) -> bytes:
        return reply(asked, "404 Not Found") if asked.method == "DESCRIBE" else usual(asked)

    with Scripted(answers) as camera:
        one = source(camera.url)
        one._silent_tries, one._slow = 3, False
        one._for_good, one._ffmpeg = True, NetworkSource(one._address, SourceOptions(), MonotonicClock())
        other = one.renew()
        assert (other._silent_tries, other._slow, other._for_good) == (3, False, True)
        assert other._ffmpeg is not one._ffmpeg
        error_of(other)
        assert camera.connections == 1  # FFmpeg's


def test_a_server_that_starts_on_demand_is_waited_for(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "ANSWER_S", 0.3)

    def answers(asked: Asked) -> bytes:
        if asked.method == "DESCRIBE":
            camera.released.wait(0.8)
        return usual(asked)

    with Scripted(answers, sends(rtp(clip.units[:2]))) as camera, source(camera.url) as one:
        assert len(list(one)) == 2
