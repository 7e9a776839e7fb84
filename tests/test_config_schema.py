"""The JSON Schema of configurations: sound in itself, helpful in an editor, and of one mind with `check`."""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from streamer.cli.check import add_parser
from streamer.config import Config
from streamer.config.json_schema import json_schema

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SCHEMA = json_schema()

TYPES: Mapping[str, Any] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip
# Draft 7's keywords that are used, with the type that each one's value has.
KEYWORDS: Mapping[str, Any] = {
    "$ref": str, "type": str, "enum": list, "const": object, "properties": dict, "patternProperties": dict,
    "additionalProperties": (bool, dict), "propertyNames": dict, "required": list, "items": dict,
    "anyOf": list, "oneOf": list, "pattern": str, "minimum": (int, float), "maximum": (int, float),
    "exclusiveMinimum": (int, float), "multipleOf": (int, float), "minLength": int, "maxLength": int,
    "minItems": int, "maxItems": int, "minProperties": int, "title": str, "description": str,
    "default": object, "examples": list,
}  # fmt: skip
HEAD = {"$schema", "definitions"}


def is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[kind])


def wrong(value: Any, schema: Any, where: str = "") -> list[str]:
    """What is wrong with a value, by the rules of draft 7: enough of them for this schema."""
    if isinstance(schema, bool):
        return [] if schema else [f"{where}: not allowed"]
    if "$ref" in schema:
        return wrong(value, SCHEMA["definitions"][schema["$ref"].removeprefix("#/definitions/")], where)
    found = []
    if "type" in schema and not is_a(value, schema["type"]):
        return [f"{where}: no {schema['type']}"]
    if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
        found.append(f"{where}: not one of them")
    for name, most in (("anyOf", 99), ("oneOf", 1)):
        if name in schema and not 1 <= sum(not wrong(value, each, where) for each in schema[name]) <= most:
            found.append(f"{where}: {name}")
    if isinstance(value, str):
        found += [f"{where}: pattern"] * ("pattern" in schema and not re.search(schema["pattern"], value))
        found += [f"{where}: short"] * (len(value) < schema.get("minLength", 0))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found += [f"{where}: low"] * ("minimum" in schema and value < schema["minimum"])
        found += [f"{where}: low"] * ("exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"])
        found += [f"{where}: high"] * ("maximum" in schema and value > schema["maximum"])
        found += [f"{where}: multiple"] * ("multipleOf" in schema and value % schema["multipleOf"] != 0)
    elif isinstance(value, list):
        few, many = schema.get("minItems", 0), schema.get("maxItems", len(value))
        found += [f"{where}: length"] * (not few <= len(value) <= many)
        found += [
            text
            for i, each in enumerate(value)
            for text in wrong(each, schema.get("items", True), f"{where}.{i}")
        ]
    elif isinstance(value, dict):
        found += of_mapping(value, schema, where)
    return found


def of_mapping(value: dict[str, Any], schema: Any, where: str) -> list[str]:
    found = [f"{where}.{key}: missing" for key in schema.get("required", ()) if key not in value]
    found += [f"{where}: empty"] * (len(value) < schema.get("minProperties", 0))
    for key, each in value.items():
        found += wrong(key, schema.get("propertyNames", True), f"{where}.{key}")
        rules = [rule for name, rule in schema.get("properties", {}).items() if name == key]
        rules += [rule for name, rule in schema.get("patternProperties", {}).items() if re.search(name, key)]
        for rule in rules or [schema.get("additionalProperties", True)]:
            found += wrong(each, rule, f"{where}.{key}")
    return found


def nodes(schema: Any, where: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema in the schema."""
    if not isinstance(schema, dict):
        return
    yield where, schema
    for name in ("properties", "patternProperties", "definitions"):
        for key, below in schema.get(name, {}).items():
            yield from nodes(below, f"{where}/{name}/{key}")
    for name in ("items", "additionalProperties", "propertyNames"):
        yield from nodes(schema.get(name), f"{where}/{name}")
    for name in ("anyOf", "oneOf"):
        for i, below in enumerate(schema.get(name, ())):
            yield from nodes(below, f"{where}/{name}/{i}")


def properties() -> Iterator[tuple[str, dict[str, Any]]]:
    for where, schema in nodes(SCHEMA):
        for key, below in schema.get("properties", {}).items():
            yield f"{where}/{key}", below


# Sound in itself


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["check", "--schema"])
    assert args.run(args) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(SCHEMA))


def test_it_is_a_schema() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert SCHEMA["title"] == "Freshframe configuration"
    for where, schema in nodes(SCHEMA):
        for keyword, value in schema.items():
            assert keyword in KEYWORDS or (where == "#" and keyword in HEAD), f"{where}: {keyword}"
            assert isinstance(value, KEYWORDS.get(keyword, object)), f"{where}: {keyword}"
        assert schema.get("type", "null") in TYPES
        assert schema.get("$ref", "#/definitions/Config").removeprefix("#/definitions/") in {
            *SCHEMA["definitions"],
            "Config",
        }
        re.compile(schema.get("pattern", ""))
    assert "$defs" not in json.dumps(SCHEMA)


def test_it_is_a_schema_to_others_too() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft7Validator(SCHEMA)
    for path in CONFIGS.glob("*.yaml"):
        assert not list(validator.iter_errors(yaml.safe_load(path.read_text())))


def test_nothing_may_be_written_that_nobody_reads() -> None:
    """But what a detector or sink of one's own takes, and the names of classes."""
    open_ones = {
        where.removeprefix("#/definitions/")
        for where, schema in nodes(SCHEMA)
        if schema.get("type") == "object" and schema.get("additionalProperties", True) is True
    }
    assert open_ones == {"DetectorConfig", "OwnSinkConfig"}


# Helpful in an editor


def test_every_key_is_explained() -> None:
    found = dict(properties())
    assert {"#/cameras", "#/definitions/CameraConfig/region", "#/definitions/ModelConfig/imgsz"} <= {
        where.replace("/properties", "") for where in found
    }
    for where, schema in found.items():
        assert len(schema.get("description", "")) >= 5, f"{where} has no description"
        assert schema["title"] == where.rpartition("/")[2]
    for name, schema in SCHEMA["definitions"].items():
        assert schema.get("description"), name


def test_defaults_and_examples_are_what_they_are_of() -> None:
    count = 0
    for where, schema in properties():
        optional = "default" not in schema and "const" not in schema
        examples = schema.get("examples", [])
        for value in [*examples, *([] if optional else [schema.get("default", schema.get("const"))])]:
            assert not wrong(json.loads(json.dumps(value)), schema), (where, value)
            count += 1
    assert count > 40


def test_keys_that_need_one_have_an_example() -> None:
    keys = (
        "source",
        "region",
        "conf",
        "classes",
        "max_fps",
        "path",
        "endpoint",
        "imgsz",
        "sinks",
        "cameras",
        "model",
    )
    for where, schema in properties():
        if where.rpartition("/")[2] in keys and where != "#/definitions/CameraConfig/model":
            assert schema.get("examples") or "/CameraConfig/model" in where, where


# Of one mind with `check`


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_are_not_underlined(path: Path) -> None:
    assert wrong(yaml.safe_load(path.read_text()), SCHEMA) == []


GATE = {"source": "rtsp://192.0.2.1/live"}
UNDERLINED: Mapping[str, Any] = {
    "an unknown key": {"cameras": {"gate": GATE}, "sink": []},
    "an unknown key of a camera": {"cameras": {"gate": {**GATE, "trasport": "tcp"}}},
    "no cameras": {"cameras": {}},
    "no source": {"cameras": {"gate": {}}},
    "a name": {"cameras": {"the gate": GATE}},
    "a transport": {"cameras": {"gate": {**GATE, "transport": "http"}}},
    "a rate": {"cameras": {"gate": {**GATE, "max_fps": 0}}},
    "a rate as a text": {"cameras": {"gate": {**GATE, "max_fps": "5"}}},
    "a score": {"cameras": {"gate": {**GATE, "conf": 25}}},
    "a class's score": {"cameras": {"gate": {**GATE, "conf": {"car": 25}}}},
    "two points": {"cameras": {"gate": {**GATE, "region": [[0, 0], [1, 1]]}}},
    "pixels": {"cameras": {"gate": {**GATE, "region": [[0, 0], [640, 0], [640, 480]]}}},
    "a size": {"model": {"imgsz": 333}, "cameras": {"gate": GATE}},
    "a device": {"model": {"device": "gpu"}, "cameras": {"gate": GATE}},
    "a sink": {"cameras": {"gate": GATE}, "sinks": [{"use": "jsonll", "path": "a"}]},
    "a key of a sink": {"cameras": {"gate": GATE}, "sinks": [{"use": "jsonl", "pth": "a"}]},
    "a key that is too short": {
        "cameras": {"gate": GATE},
        "sinks": [{"use": "zmq", "endpoint": "ipc://a", "curve": {"secret_key": "abc", "clients": ["abc"]}}],
    },
}


@pytest.mark.parametrize("tree", UNDERLINED.values(), ids=UNDERLINED.keys())
def test_mistakes_are_underlined(tree: Any) -> None:
    assert wrong(tree, SCHEMA)


def test_what_comes_from_the_environment_is_not_underlined() -> None:
    curve = {"secret_key": "${ZMQ_SECRET_KEY}", "clients": ["${READER}"]}
    sinks = [
        {"use": "zmq", "endpoint": "tcp://*:1", "curve": curve, "encoding": "${ENCODING}"},
        {"use": "${SIREN}:Siren"},
        {"use": "window", "mode": "${MODE}"},
    ]
    model = {"name": "${MODEL}", "device": "${DEVICE}", "engine": "${ENGINE}"}
    gate = {"source": "${GATE}", "transport": "${TRANSPORT}", "decode": "${DECODE}"}
    assert wrong({"model": model, "cameras": {"gate": gate}, "sinks": sinks}, SCHEMA) == []


LABELS = st.sampled_from(["person", "car", "default", ""])
SCORE = st.sampled_from([0, 0.25, 1, 1.5, -1, None, "0.5", True])
POINTS = st.lists(st.sampled_from([[0, 0], [1, 0], [0.5, 1], [0.2, 0.3], [2, 0], [0], 7]), max_size=5)
VALUES = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, 5, 1.5, 640, "tcp", "all", "key", "auto", "1:30", "640x480"])
)
CAMERA = st.fixed_dictionaries(
    {"source": st.sampled_from(["usb:0", "rtsp://192.0.2.1/live"])},
    optional={
        "classes": st.lists(LABELS, max_size=2) | VALUES,
        "conf": SCORE | st.dictionaries(LABELS, SCORE, max_size=2),
        "region": POINTS | st.lists(POINTS, max_size=2) | VALUES,
        "model": st.sampled_from(["yolo26n", "", {"use": "a:B", "c": 1}, {"imgsz": 320}, {"use": "b"}, 5]),
        "look_at": st.sampled_from(["picture", "region", "sky"]),
    }
    | {
        key: VALUES
        for key in SCHEMA["definitions"]["CameraConfig"]["properties"]
        if key not in ("source", "classes", "conf", "region", "model", "look_at")
    },
)  # fmt: skip
SINK = st.sampled_from(
    [{"use": "jsonl", "path": "a"}, {"use": "video", "path": "{camera}.mp4"}, {"use": "window"},
     {"use": "a:B", "c": [1]}, {"use": "zmq", "endpoint": "ipc://a"}, {"use": "zmq"}, {"path": "a"}, "zmq"]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    cameras=st.dictionaries(st.sampled_from(["a", "b-2", "c d", ""]), CAMERA, max_size=2),
    sinks=st.lists(SINK, max_size=2),
)
def test_what_check_allows_is_not_underlined(cameras: dict[str, Any], sinks: list[Any]) -> None:
    tree = {"cameras": cameras, "sinks": sinks}
    try:
        Config.model_validate(tree)
    except ValidationError:
        return
    assert wrong(tree, SCHEMA) == []
