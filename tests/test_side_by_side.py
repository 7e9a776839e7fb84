"""The two runs side by side: each test once, and what fails in either fails both."""

from pathlib import Path

import pytest

from tests import side_by_side

FINE, BROKEN = "def test_it(): pass\n", "def test_it(): assert False, 'broken'\n"


def test_what_it_names_is_there_and_named_once() -> None:
    files = side_by_side.computing()
    assert len(files) == len(set(files))
    assert set(files) < {str(file) for file in side_by_side.HERE.glob("test_*.py")}


@pytest.mark.parametrize(
    ("beside", "others", "status"),
    [(FINE, FINE, 0), (BROKEN, FINE, 1), (FINE, BROKEN, 1), (FINE, "", 0), ("", FINE, 0), ("", "", 5)],
)
def test_its_status_is_that_of_both(
    beside: str,
    others: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_yolo_one.py").write_text(beside)
    (tmp_path / "test_live.py").write_text(others)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(side_by_side, "HERE", tmp_path)
    monkeypatch.setattr(side_by_side, "COMPUTING", ["yolo*"])
    assert side_by_side.main(["-v"]) == status
    said = capfd.readouterr().out
    for name, text in ("test_yolo_one.py", beside), ("test_live.py", others):
        assert said.count(f"{name}::test_it ") == (1 + text.count("broken") if text else 0), said
