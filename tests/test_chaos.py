"""Scenarios of failures: what may stand in the file, when its faults happen, and a whole trial."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.chaos import Fault, read_scenario
from streamer.chaos.processes import BadNetwork, TestCamera
from streamer.chaos.steps import Steps
from streamer.chaos.words import pictures
from streamer.errors import ConfigError, SourceError
from streamer.fakecam.film import film
from streamer.sources.pattern import Pattern
from tests.boxes import until
from tests.running import freshframe, started

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "s.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_a_scenario_is_what_stands_in_the_file(write: Write, tmp_path: Path) -> None:
    scenario = read_scenario(
        write(
            "seed: 7\nfor: 30\ncameras: {count: 8, clip: gate.mp4}\ntransport: udp\nisolation: process\n"
            "faults:\n"
            "- {at: 5, camera: cam0, fault: hang, for: 4}\n"
            "- {at: 6, camera: [cam2, cam0], network: rate   500k, for: 3.5}\n"
            "- {at: 7, camera: half, fault: drop}\n"
            "- {at: 8, camera: all, fault: loss 0.05}\n"
        )
    )
    assert scenario.seed == 7
    assert scenario.for_s == 30
    assert scenario.scene.count == 8
    assert scenario.scene.clip == tmp_path / "gate.mp4"
    assert (scenario.transport, scenario.isolation) == ("udp", "process")
    assert scenario.faults == (
        Fault(5, (0,), "hang", False, 4),
        Fault(6, (0, 2), "rate 500k", True, 3.5),
        Fault(7, (0, 1, 2, 3), "drop"),
        Fault(8, tuple(range(8)), "loss 0.05"),
    )
    assert scenario.networked == (0, 2)
    assert [fault.end_s for fault in scenario.faults] == [9, 9.5, 7, None]


def test_the_least_that_must_be_said(write: Write) -> None:
    scenario = read_scenario(write("for: 5\n"))
    assert (scenario.scene.count, scenario.scene.size, scenario.scene.fps) == (4, (640, 360), 15)
    assert (scenario.seed, scenario.transport, scenario.isolation) == (0, "tcp", "thread")
    assert scenario.faults == ()
    assert scenario.model is None


def test_the_same_seed_means_the_same_camera(write: Write) -> None:
    def chosen(seed: int) -> list[tuple[int, ...]]:
        faults = "".join(f"- {{at: {at}, camera: any, fault: drop}}\n" for at in range(20))
        text = f"seed: {seed}\nfor: 30\ncameras: 8\nfaults:\n{faults}"
        return [fault.cameras for fault in read_scenario(write(text)).faults]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
    assert len(set(chosen(1))) > 3


BAD = {
    "nothing": ("", "s.yaml:1: found nothing; allowed: a mapping with seed, for, cameras"),
    "no length": ("seed: 1\n", "s.yaml:1: for: missing; it must be given"),
    "an unknown key": ("for: 9\ncamera: 4\n", "s.yaml:2: camera: unknown key; allowed: seed, for, cameras"),
    "a length that is none": ("for: long\n", "s.yaml:1: for: found 'long'; allowed: a number of seconds"),
    "too short": ("for: 1\n", "for: found 1 (a number); allowed: 2 to 86400"),
    "not a number": ("for: .nan\n", "for: found nan (a number); allowed: a number of seconds"),
    "true is no number": ("for: true\n", "for: found true; allowed: a number"),
    "a seed below 0": ("for: 9\nseed: -1\n", "s.yaml:2: seed: found -1 (a number); allowed: a whole number"),
    "no cameras": ("for: 9\ncameras: 0\n", "s.yaml:2: cameras: found 0 (a number); allowed: a whole number"),
    "too many": ("for: 9\ncameras: {count: 65}\n", "cameras.count: found 65 (a number); allowed: a whole"),
    "cameras of no kind": ("for: 9\ncameras: gate\n", "allowed: 1 to 64, or a mapping with count, clip"),
    "a size that is none": (
        "for: 9\ncameras: {size: big}\n",
        "cameras.size: found 'big'; allowed: as 640x360",
    ),
    "too small": ("for: 9\ncameras: {size: 64x64}\n", "cameras.size: found '64x64'; allowed: as 640x360"),
    "clip and size": ("for: 9\ncameras: {clip: a.mp4, fps: 5}\n", "cameras.fps: a clip has its own"),
    "a transport": ("for: 9\ntransport: http\n", "s.yaml:2: transport: found 'http'; allowed: tcp or udp"),
    "an isolation": ("for: 9\nisolation: pod\n", "found 'pod'; allowed: thread or process"),
    "a model's key": ("for: 9\nmodel: {clases: [a]}\n", "s.yaml:2: model.clases: unknown key"),
    "faults as a mapping": (
        "for: 9\nfaults: {at: 1}\n",
        "s.yaml:2: faults: found a mapping; allowed: a list",
    ),
}
BAD_FAULTS = {
    "not a mapping": ("hang", "s.yaml:3: faults.0: found 'hang'; allowed: a mapping with at, camera, fault"),
    "no time": ("{camera: cam0, fault: hang}", "s.yaml:3: faults.0.at: missing"),
    "after the end": (
        "{at: 10, camera: cam0, fault: hang}",
        "faults.0.at: found 10 (a number); allowed: 0 to 9",
    ),
    "no camera": ("{at: 1, fault: hang}", "faults.0.camera: found nothing; allowed: cam0 to cam3, a list"),
    "another camera": ("{at: 1, camera: cam4, fault: hang}", "faults.0.camera: found 'cam4'; allowed: cam0"),
    "an empty list": ("{at: 1, camera: [], fault: hang}", "found an empty list; allowed: cam0 to cam3"),
    "a list in a list": ("{at: 1, camera: [[cam0]], fault: hang}", "found a list; allowed: cam0 to cam3"),
    "no fault": ("{at: 1, camera: cam0}", "faults.0: either fault (of the camera) or network"),
    "both": ("{at: 1, camera: cam0, fault: hang, network: reset}", "faults.0: either fault (of the camera)"),
    "an odd fault": (
        "{at: 1, camera: cam0, fault: explode}",
        "faults.0.fault: 'explode' is not a command: ok",
    ),
    "no fault's name": (
        "{at: 1, camera: cam0, fault: ''}",
        "faults.0.fault: found ''; allowed: text that is",
    ),
    "a fault's value": ("{at: 1, camera: cam0, fault: loss 2}", "faults.0.fault: '2' is not a share"),
    "a value too many": (
        "{at: 1, camera: cam0, fault: hang 2}",
        "faults.0.fault: hang takes nothing after it",
    ),
    "ok": ("{at: 1, camera: cam0, fault: ok}", "faults.0.fault: ok is what the end of for brings; allowed:"),
    "an odd network": ("{at: 1, camera: cam0, network: hang}", "faults.0.network: 'hang' is not a command"),
    "an odd rate": ("{at: 1, camera: cam0, network: rate 5}", "faults.0.network: rate 5 bps: allowed is 8"),
    "a length of no time": ("{at: 1, camera: cam0, fault: hang, for: 0}", "faults.0.for: found 0 (a number)"),
    "a length of what is over": (
        "{at: 1, camera: cam0, fault: drop, for: 1}",
        "drop happens once; leave for out",
    ),
    "no room to return": (
        "{at: 5, camera: cam0, fault: hang, for: 4}",
        "faults.0: it ends at 9 s, the run at 9",
    ),
    "no room for pictures to return": (
        "{at: 2, camera: cam0, fault: black, for: 5}",
        "faults.0: it ends at 7 s, the run at 9 s; allowed: up to 6.5 s",
    ),
    "a key": (
        "{at: 1, camera: cam0, fualt: hang}",
        "faults.0.fualt: unknown key; allowed: at, camera, fault",
    ),
}
BAD |= {what: (f"for: 9\nfaults:\n- {fault}\n", said) for what, (fault, said) in BAD_FAULTS.items()}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said_with_file_line_entry_and_what_is_allowed(what: str, write: Write) -> None:
    text, said = BAD[what]
    with pytest.raises(ConfigError) as raised:
        read_scenario(write(text))
    assert said in str(raised.value)
    assert "s.yaml:" in str(raised.value)


def test_everything_that_is_wrong_is_said_at_once(write: Write) -> None:
    faults = "- {at: 1, camera: cam9, fault: hang}\n- {at: 1, camera: cam0, fault: explode}\n"
    with pytest.raises(ConfigError) as raised:
        read_scenario(write(f"for: 9\nseed: x\nfaults:\n{faults}"))
    lines = str(raised.value).splitlines()
    assert [line.partition("s.yaml:")[2].partition(":")[0] for line in lines] == ["2", "4", "5"]


def test_faults_begin_and_end_in_order_and_what_goes_on_is_told_again() -> None:
    told: list[str] = []
    faults = [
        Fault(1, (0, 1), "hang", for_s=2),
        Fault(2, (0,), "loss 0.1", for_s=2),
        Fault(2, (0,), "blackhole", network=True),
        Fault(3.5, (2,), "drop"),
    ]
    steps = Steps(
        faults,
        lambda camera, words: told.append(f"cam{camera} {words}"),
        lambda camera, words: told.append(f"way{camera} {words}"),
    )
    times = []
    while (due_s := steps.next_s) is not None:
        times.append(round(due_s, 1))
        steps.do()
    assert times == [1, 2, 2, 3, 3.5, 4]
    begun = ["cam0 hang", "cam1 hang", "cam0 loss 0.1", "way0 blackhole"]
    assert told == [*begun, "cam0 ok", "cam0 loss 0.1", "cam1 ok", "cam2 drop", "cam0 ok"]
    happened = {(one.camera, one.fault.word): one for one in steps.happened()}
    assert happened[0, "blackhole"].ended_ns is None
    assert happened[2, "drop"].ended_ns == happened[2, "drop"].begun_ns
    hang = happened[0, "hang"]
    assert hang.ended_ns is not None
    assert hang.ended_ns >= hang.begun_ns
    steps.mend_all()
    assert told[-1] == "way0 ok"


def test_a_late_answer_holds_nobody_up() -> None:
    answers: dict[str, Future[int]] = {}

    def tell(camera: int, words: str) -> Future[int]:
        return answers.setdefault(f"cam{camera} {words}", Future())

    steps = Steps([Fault(1, (0, 1), "black", for_s=2), Fault(2, (1,), "drop")], tell, tell)
    while steps.next_s is not None:
        steps.do()  # and nobody has answered anything
    assert list(answers) == ["cam0 black", "cam1 black", "cam1 drop", "cam0 ok", "cam1 ok"]
    for when_ns, answer in enumerate(answers.values(), 7):
        answer.set_result(when_ns)
    found = {(one.camera, one.fault.word): (one.begun_ns, one.ended_ns) for one in steps.happened()}
    assert found == {(0, "black"): (7, 10), (1, "black"): (8, 11), (1, "drop"): (9, 9)}


def test_what_was_not_done_in_time_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.chaos.steps.ANSWERS_S", 0.01)
    steps = Steps([Fault(1, (0,), "black")], lambda *_: Future(), lambda *_: None)
    steps.do()
    with pytest.raises(SourceError, match="cam0 black: that was not in force when the run was over"):
        steps.happened()
    with pytest.raises(SourceError, match="cam0 ok: that was not in force"):
        steps.mend_all()


def test_pictures_are_ready_when_they_are_wanted_and_one_camera_waits_for_no_other(
    clip: Path, tmp_path: Path
) -> None:
    faults = [Fault(1, (1, 0), "black"), Fault(1, (0,), "hang"), Fault(2, (0,), "loss 0.1", network=True)]
    assert pictures(faults) == [(0, "black"), (1, "black")]
    with TestCamera([clip, clip], tmp_path / "sent.jsonl") as camera:
        slow = camera.order(0, "defocus")  # encoded, and shown from a keyframe on
        at_once = camera.order(1, "hang")
        assert at_once.result() < slow.result()
        camera.tell(1, "ok")
        camera.warm_up(pictures(faults))
    lines = [json.loads(line) for line in (tmp_path / "sent.jsonl").read_text().splitlines()]
    shown = {(line["camera"], line.get("fault", "")) for line in lines}
    assert {(0, "defocus"), (0, "black"), (1, "black")} <= shown


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    film(Pattern((320, 240), 10.0, 0, 20), path)
    return path


def test_camera_and_network_obey_in_processes_of_their_own(clip: Path, tmp_path: Path) -> None:
    with TestCamera([clip, clip], tmp_path / "sent.jsonl") as camera:
        assert [url.rpartition("/")[2] for url in camera.urls] == ["cam0", "cam1"]
        camera.tell(1, "hang")
        with pytest.raises(
            ConfigError, match=r"cam1 loss 7: the test camera says: error: '7' is not a share"
        ):
            camera.tell(1, "loss 7")
        with BadNetwork(camera.urls) as network:
            assert len({*network.urls, *camera.urls}) == 4
            network.tell(1, "rate 500k")
            network.tell(0, "ok")
            with pytest.raises(
                ConfigError, match="nothing: the impairment proxy says: error: 'nothing' is not"
            ):
                network.tell(0, "nothing")
        port = camera.port
        camera.kill()
        with TestCamera([clip], tmp_path / "again.jsonl", port=port) as again:
            assert again.port == port


def test_a_camera_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match=r"did not start: .*nowhere\.mp4"),
        TestCamera([tmp_path / "nowhere.mp4"], tmp_path / "sent.jsonl"),
    ):
        pass


SMALL = "seed: 3\nfor: {for_s}\ncameras: {{count: 2, size: 320x240, fps: 10}}\nfaults:\n"


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_whole_trial(write: Write, tmp_path: Path) -> None:
    faults = "- {at: 0.5, camera: cam0, network: reset}\n"
    out = tmp_path / "out.json"
    done = freshframe("chaos", write(SMALL.format(for_s=3) + faults), "--json", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 3" in done.stdout
    assert "lies: none" in done.stdout
    assert "all cameras are back" in done.stdout
    found = json.loads(out.read_text("utf-8"))
    assert found["passed"]
    victim, other = found["cameras"]
    assert sum(victim["tried"]["reconnects"].values()) == 1
    assert not other["tried"]["reconnects"]
    assert other["fps_ratio"] > 0.9
    assert other["tried"]["sent"] == pytest.approx(25, abs=3)  # 3 s without the last half
    assert 0 < other["control"]["age_p50_ms"] < 1000
    (fault,) = found["faults"]
    assert (fault["camera"], fault["words"]) == ("cam0", "reset")
    assert 0 <= fault["noticed_s"] < 2
    assert 0 < fault["back_s"] < 2.5


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_camera_that_stays_away_is_named_and_the_status_says_so(write: Write) -> None:
    # 401 is tried again after seconds: there is no time for that.
    faults = "- {at: 0.2, camera: cam1, fault: deny, for: 0.8}\n"
    done = freshframe("chaos", write(SMALL.format(for_s=2) + faults))
    assert done.returncode == 1
    assert "did not come back: cam1 (failed)" in done.stdout
    assert "not back" in done.stdout


@contextmanager
def trial(write: Write) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A trial in the first half of its control run, and the processes that it has started."""
    faults = "- {at: 1, camera: cam0, network: blackhole, for: 5}\n"
    with started("chaos", write(SMALL.format(for_s=30) + faults)) as process:
        assert process.stderr is not None
        while "first half" not in (line := process.stderr.readline()):
            assert line, "it ended too early"
        yield process, _children(process.pid)


@pytest.mark.timeout(60)
def test_ctrl_c_ends_it_and_all_that_it_started(write: Write) -> None:
    with trial(write) as (process, children):
        assert len(children) == 2  # the camera, the network
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "interrupted: the scenario was not played to its end" in told
    assert "Traceback" not in told
    assert not [child for child in children if _runs(child)]


@pytest.mark.timeout(60)
def test_killed_it_leaves_nobody_behind(write: Write) -> None:
    with trial(write) as (process, children):
        process.kill()
        until(lambda: not [child for child in children if _runs(child)])


def _runs(pid: int) -> bool:
    """A zombie that nobody has collected yet is no process any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task")
    if not path.exists():
        pytest.skip("only Linux tells a process's children")
    return [int(child) for task in path.iterdir() for child in (task / "children").read_text().split()]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["s.yaml", "--json", "nowhere/out.json"], "--json nowhere/out.json: no such file"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(
    words: list[str], said: str, write: Write, tmp_path: Path
) -> None:
    write("for: 5\n")
    done = freshframe("chaos", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("for: 5\ncameras: {clip: nowhere.mp4}\n", "there is no such file"),
        ("for: 5\ncameras: {clip: .}\n", "this is a folder"),
        ("for: 5\ncameras: {clip: s.yaml}\n", "not a video"),
        ("for: 5\nmodel: nowhere.pt\n", "nowhere.pt"),
    ],
)
def test_clip_and_model_are_looked_at_before_anything_is_made(
    scenario: str, said: str, write: Write, tmp_path: Path
) -> None:
    done = freshframe("chaos", write(scenario), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "making" not in done.stderr


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "configs" / "chaos").glob("*.yaml")))
def test_the_ready_scenarios_can_be_read(path: Path) -> None:
    assert read_scenario(path).faults
