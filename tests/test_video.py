"""Annotated video: right times, whole files, and errors that say why."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from sinks.video import AnnotatedVideo, caption
from streamer import (
    ArrayPicture,
    ConfigError,
    Detections,
    Frame,
    ModelInfo,
    Quality,
    Region,
    Result,
    SinkError,
    Timing,
)
from streamer.cli.assemble import assemble
from streamer.cli.plan import plans
from streamer.config import Config
from streamer.errors import Unwritten
from tests.running import ROOT, environment

STEP_NS = 40_000_000


def result(
    index: int,
    camera: str = "gate",
    size: tuple[int, int] = (160, 96),
    *,
    scene_ns: int | None = None,
    live: bool = False,
) -> Result:
    pixels = np.full((size[1], size[0], 3), (index * 3) % 200, np.uint8)
    scene_ns = index * STEP_NS if scene_ns is None else scene_ns
    picture = ArrayPicture(pixels)
    frame = Frame(camera, 0, index, index, scene_ns, scene_ns, None, False, Quality.FINE, picture, live)
    box = np.array([[20, 30, 60, 70]], np.float32)
    seen = Detections(("person",), box, np.array([0.9], np.float32), np.array([0], np.int32))
    return Result(frame, seen, ModelInfo("net"), Timing(1, 2, 3, 4, 5), {})


def read(path: Path) -> list[VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times(path: Path) -> list[float]:
    moments = [frame.time for frame in read(path)]
    return [round(moment, 3) for moment in moments if moment is not None]


def test_one_file_per_camera_with_the_frames_own_times(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "new" / "{camera}.mp4") as video:
        for i in range(60):
            video.write(result(i))
            video.write(result(i, "yard", live=True, scene_ns=10**15 + i * 250_000_000))
    assert times(tmp_path / "new" / "gate.mp4") == [round(i * 0.04, 3) for i in range(60)]
    assert times(tmp_path / "new" / "yard.mp4") == [i * 0.25 for i in range(60)]


def test_pictures_carry_their_boxes(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "a.mp4") as video:
        for i in range(3):
            video.write(result(i))
    first = read(tmp_path / "a.mp4")[0].to_ndarray(format="bgr24")
    assert first[70, 30:50].max() > 100, "the box's lower edge"
    assert first[50, 35:45].max() < 20, "nothing inside it"


def test_a_cameras_region_is_outlined(tmp_path: Path) -> None:
    region = Region([[(0, 0), (1, 0), (1, 0.9), (0, 0.9)]])
    with AnnotatedVideo(tmp_path / "{camera}.mp4", regions={"gate": region}) as video:
        video.write(result(0))
        video.write(result(0, "yard"))
    gate, yard = (read(tmp_path / f"{name}.mp4")[0].to_ndarray(format="bgr24") for name in ("gate", "yard"))
    assert gate[84:88, 80:150].max(axis=0).min() > 100
    assert yard[84:88, 80:150].max() < 40


def test_the_region_of_a_configuration_is_outlined(tmp_path: Path) -> None:
    source = "synthetic:?size=320x240&count=2"
    tree = {
        "model": {"use": "tests.mine:Bright", "above": 255},
        "cameras": {
            "gate": {"source": source, "region": [[0, 0], [1, 0], [1, 0.5], [0, 0.5]]},
            "yard": {"source": source},
        },
        "sinks": [{"use": "video", "path": str(tmp_path / "{camera}.mp4")}],
    }
    config = Config.model_validate(tree)
    assemble(plans(config), config.sinks).run()
    films = [read(tmp_path / f"{name}.mp4")[-1].to_ndarray(format="bgr24") for name in ("gate", "yard")]
    apart = np.abs(films[0].astype(int) - films[1])[:, 60:310].mean(axis=(1, 2))
    assert apart[118:123].max() > 30
    assert apart[130:].max() < 10


def test_a_keyframe_every_two_seconds_at_any_rate(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "a.mp4") as video:
        for i in range(30):
            video.write(result(i, scene_ns=i * 500_000_000))
    keys = [i for i, frame in enumerate(read(tmp_path / "a.mp4")) if frame.key_frame]
    assert keys == list(range(0, 30, 4))


def test_times_that_stand_still_grow_all_the_same(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "a.mp4") as video:
        for i in range(5):
            video.write(result(i, scene_ns=7))
    assert [frame.pts for frame in read(tmp_path / "a.mp4")] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("size", [(161, 97), (2, 2), (1, 1), (64, 481)])
def test_odd_and_tiny_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    with AnnotatedVideo(tmp_path / "a.mp4") as video:
        for i in range(3):
            video.write(result(i, size=size))
    frames = read(tmp_path / "a.mp4")
    assert (frames[0].width, frames[0].height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)


def test_a_change_of_size_begins_another_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
        for i, size in enumerate([(160, 96), (160, 96), (320, 240), (160, 96)]):
            video.write(result(i, size=size))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gate-2.mp4", "gate-3.mp4", "gate.mp4"]
    assert [len(read(tmp_path / name)) for name in ("gate.mp4", "gate-2.mp4", "gate-3.mp4")] == [2, 1, 1]


def test_a_long_silence_begins_another_file_and_no_time_is_wrong(tmp_path: Path) -> None:
    hour_ns = 3600 * 10**9
    with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
        for hours in (0, 5.9, 14, 15):
            video.write(result(0, scene_ns=round(hours * hour_ns)))
    assert times(tmp_path / "gate.mp4") == [0, 5.9 * 3600]
    assert times(tmp_path / "gate-2.mp4") == [0, 3600]


def test_a_number_never_takes_another_cameras_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
        video.write(result(0))
        video.write(result(0, "gate-2"))
        video.write(result(1, size=(320, 240)))
        video.write(result(1, "gate-2"))
    counts = {path.name: len(read(path)) for path in tmp_path.iterdir()}
    assert counts == {"gate.mp4": 1, "gate-2.mp4": 2, "gate-3.mp4": 1}


def test_a_camera_that_comes_late_writes_over_no_other_cameras_film(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
        video.write(result(0))
        video.write(result(1, size=(128, 96)))  # gate-2.mp4
        video.write(result(2, size=(96, 96)))  # gate-3.mp4
        video.write(result(3, "gate-2"))
    counts = {path.name: len(read(path)) for path in tmp_path.iterdir()}
    assert counts == {"gate.mp4": 1, "gate-2.mp4": 1, "gate-3.mp4": 1, "gate-2-2.mp4": 1}


def test_a_camera_whose_name_is_a_number_is_no_part_of_another(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
        video.write(result(0, "1"))
        video.write(result(1, "1", size=(128, 96)))  # 1-2.mp4
        video.write(result(2, "2"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-2.mp4", "1.mp4", "2.mp4"]


def test_the_camera_may_be_a_folder(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "{camera}" / "film.mp4") as video:
        assert not list(tmp_path.iterdir())
        video.write(result(0))
    assert len(read(tmp_path / "gate" / "film.mp4")) == 1


def test_after_time_went_back_it_goes_on_at_its_own_pace(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "a.mp4") as video:
        for i in range(5):
            video.write(result(i, scene_ns=10**12 + i * 10**8))
        for i in range(5):
            video.write(result(5 + i, scene_ns=i * 10**8))
    seen = times(tmp_path / "a.mp4")
    assert seen == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8], abs=0.002)


def test_at_one_frame_a_second_two_seconds_are_not_yet_in_the_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "a.mp4") as video:
        for i in range(20):
            video.write(result(i, scene_ns=i * 10**9))
        killed = tmp_path / "killed.mp4"
        killed.write_bytes((tmp_path / "a.mp4").read_bytes())
    assert times(killed)[-1] >= 17


def test_two_cameras_do_not_go_into_one_file(tmp_path: Path) -> None:
    video = AnnotatedVideo(tmp_path / "a.mp4").__enter__()
    video.write(result(0))
    with pytest.raises(Unwritten, match=r"both gate and yard: write \{camera\}"):
        video.write(result(0, "yard"))
    video.__exit__(None, None, None)
    assert len(read(tmp_path / "a.mp4")) == 1


def test_what_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"cannot be written: .*file is no folder"):
        AnnotatedVideo(tmp_path / "file" / "a.mp4").__enter__()
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(SinkError, match="is a folder"):
        AnnotatedVideo(tmp_path / "folder.mp4").__enter__()
    with pytest.raises(ConfigError, match=r"end its name in \.mp4"):
        AnnotatedVideo(tmp_path / "a.avi")


CHILD = """
import sys
from tests.test_video import result
from sinks.video import AnnotatedVideo
with AnnotatedVideo(sys.argv[1]) as video:
    for i in range(100_000):
        video.write(result(i))
        if i == 200:
            print("going", flush=True)
"""


def test_a_kill_leaves_a_film_that_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    command = [sys.executable, "-c", CHILD, str(path)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "going\n"
        os.kill(child.pid, signal.SIGKILL)
    frames = read(path)
    assert len(frames) >= 150, "all but the last two seconds"


FULL = """
import resource, signal, sys
from tests.test_video import result
from sinks.video import AnnotatedVideo
from streamer import SinkError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    with AnnotatedVideo(sys.argv[1]) as video:
        for i in range(20_000):
            video.write(result(i))
except SinkError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_of_the_sink(tmp_path: Path) -> None:
    """A limit on the file's size refuses to write as a full disk does."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "a.mp4")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert "a.mp4 cannot be written: file too large" in done.stdout


def test_the_caption_tells_the_time() -> None:
    assert caption(result(3, scene_ns=3_723_004_000_000).frame) == "gate  1:02:03.004"
    assert caption(result(0).frame) == "gate  0:00:00.000"
    assert caption(result(0, live=True).frame).startswith("gate  20")


def test_a_film_is_closed_once(tmp_path: Path) -> None:
    """Its lock's number may be another thread's file by the time that it is closed again."""
    with AnnotatedVideo(tmp_path / "gate.mp4") as video:
        video.write(result(0))
        film = video._films["gate"]
        film.close()
        with (tmp_path / "other").open("w") as other:
            film.close()
            other.write("still open")
        video._films.clear()
    assert (tmp_path / "other").read_text() == "still open"


def test_a_numbered_film_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "gate-2.mp4").write_text("somebody's recording")
    with AnnotatedVideo(tmp_path / "gate.mp4") as video:
        video.write(result(0))
        video.write(result(1, size=(320, 240)))
    assert (tmp_path / "gate-2.mp4").read_text() == "somebody's recording"
    assert len(read(tmp_path / "gate-3.mp4")) == 1


def test_where_the_next_film_cannot_be_begun_the_others_are_finished(tmp_path: Path) -> None:
    (tmp_path / "yard.mp4").symlink_to("/dev/full")
    video = AnnotatedVideo(tmp_path / "{camera}.mp4").__enter__()
    video.write(result(0))
    with pytest.raises(Unwritten, match=r"yard\.mp4 cannot be written"):
        video.write(result(0, "yard"))
    video.__exit__(None, None, None)  # said and counted when it happened; the sink has not failed
    assert len(read(tmp_path / "gate.mp4")) == 1
