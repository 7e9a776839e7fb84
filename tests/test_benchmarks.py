"""The benchmarks' own machinery: order of rounds, ratios, reports, peers that are missing."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import environment, peers
from benchmarks.environment import Missing, python_with
from benchmarks.peers import Contender, ages, contenders
from benchmarks.report import Report, verdict
from benchmarks.rounds import Spread, interleaved, ratio
from streamer.fakecam.film import film
from streamer.sources.pattern import Pattern
from streamer.watermark.sent import sent_times


def test_every_other_round_goes_backwards() -> None:
    order: list[str] = []

    def runs(name: str) -> dict[str, float]:
        order.append(name)
        return {"value": len(order)}

    found = interleaved({"a": lambda: runs("a"), "b": lambda: runs("b"), "c": lambda: runs("c")}, rounds=3)
    assert "".join(order) == "abccbaabc"
    assert found["a"]["value"].values == [1, 6, 7]
    assert found["a"]["value"].median == 6


def test_a_ratio_is_taken_round_by_round() -> None:
    share = ratio(Spread([10.0, 5.0, 8.0]), Spread([20.0, 10.0, 8.0]))
    assert share.values == [0.5, 0.5, 1.0]
    assert share.text(2) == "0.50 (0.50–1.00)"


def test_a_verdict_says_whether_the_goal_was_reached() -> None:
    assert verdict("speed", 0.96, "≥", 0.95) == "speed: 0.96, goal ≥ 0.95: reached"
    assert verdict("age", 41.0, "≤", 40, " ms", 0) == "age: 41 ms, goal ≤ 40 ms: falls short"


def test_a_report_holds_machine_versions_and_what_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(
        "P0", "why?", ["a", "b"], [["x", "1"]], ["fine"], {"x": Spread([1.0, 3.0])}, ["y: not here"]
    )
    report.show()
    shown = capsys.readouterr().out
    assert "P0: why?" in shown
    assert "not measured: y: not here" in shown
    report.write(tmp_path / "deep" / "x.json")
    written = json.loads((tmp_path / "deep" / "x.json").read_text("utf-8"))
    assert written["figures"]["x"] == {"median": 2.0, "low": 1.0, "high": 3.0, "values": [1.0, 3.0]}
    assert written["versions"]["numpy"]
    assert "cores" in written["machine"]
    assert written["not_measured"] == ["y: not here"]


def test_ages_are_told_by_the_log_and_what_was_never_sent_is_a_lie(tmp_path: Path) -> None:
    log = tmp_path / "sent.jsonl"
    line = '{{"camera":0,"frame":{0},"picture":{0},"sent_mono_ns":{1}}}\n'
    log.write_text("".join(line.format(n, n * 100_000_000) for n in range(100)))
    seen = [(0, n, n * 100_000_000 + 40_000_000) for n in range(99)] + [(0, -1, 10**10), (0, 5000, 10**10)]
    found = ages(seen, sent_times(log), 1)
    assert found["age_p50"] == pytest.approx(40)
    assert found["age_p99"] == pytest.approx(40)
    assert found["slope"] == pytest.approx(0, abs=1e-6)
    assert found["fps"] == pytest.approx(10, rel=0.05)
    assert found["lies"] == 2


def test_ours_runs_and_a_peer_that_does_not_is_named_and_passed_over(yolo26n: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    film(Pattern((320, 240), 30.0, 0, 45), clip)
    programs = {
        "ours": Contender("ours", sys.executable, yolo26n),
        "theirs": Contender("no_such_program", sys.executable, yolo26n),
    }
    (left_out,) = peers._leave_out(programs, clip)
    assert left_out.startswith("theirs: no_such_program: ")
    assert list(programs) == ["ours"]
    found = peers.on_file(programs["ours"], clip)
    assert found["fps"] > 0
    assert found["cpu_ms"] > 0


def test_what_cannot_be_installed_is_missing_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yolo26n: Path
) -> None:
    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    with pytest.raises(Missing, match=r"odd cannot be installed: .*nowhere"):
        python_with("odd", [str(tmp_path / "nowhere")])
    monkeypatch.setattr(peers, "python_with", _missing)
    programs, left_out = contenders(everything=True)
    assert list(programs) == ["Freshframe"]
    assert left_out == ["ultralytics and the cv2 loop: no network"]


def _missing(*_: object, **__: object) -> str:
    raise Missing("no network")
