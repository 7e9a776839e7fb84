"""docs/configuration.md: its examples are right, and no key is missing."""

import re
from pathlib import Path

import pytest

from streamer.config import load
from streamer.config.json_schema import json_schema

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_each_example_is_a_configuration(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "hunter2")
    path = tmp_path / "c.yaml"
    path.write_text(EXAMPLES[number])
    load(path)


def test_what_the_page_says_of_scores(tmp_path: Path) -> None:
    (example,) = [text for text in EXAMPLES if "person 0.5, car 0.6" in text]
    path = tmp_path / "c.yaml"
    path.write_text(example)
    config = load(path)
    gate, yard = (config.cameras[name].looking(config.model) for name in ("gate", "yard"))
    assert (gate.classes, gate.conf, gate.conf_of) == (None, 0.35, {"person": 0.5, "car": 0.6})
    assert (yard.classes, yard.conf, yard.conf_of) == (("person",), 0.4, {})


def test_every_key_is_there() -> None:
    names = set(re.findall(r"`([a-z_]+)[:`]", TEXT))
    for part, schema in json_schema()["definitions"].items():
        for key in schema["properties"]:
            assert key in names, f"{part}.{key} is not in {PAGE.name}"
