"""Flags as a configuration: the same values are allowed, and errors name the flag."""

import argparse
from typing import Any

from pydantic import ValidationError

from streamer.cli.console import conceal
from streamer.config.environment import fill_in
from streamer.config.model import ModelConfig
from streamer.config.problems import problems_in
from streamer.config.schema import Config
from streamer.config.sink import JsonlConfig, SinkConfig
from streamer.errors import ConfigError
from streamer.sources.address import Address, parse_address

_ANY_CAMERA = {"camera": {"source": "synthetic:"}}
_FLAG_OF_SINK = {"zmq": "--zmq", "jsonl": "--jsonl", "video": "--video", "window": "--show"}


def add_network_flags(parser: argparse.ArgumentParser) -> None:
    """Which network, how large, and where it runs."""
    add = parser.add_argument
    add(
        "--model",
        default="yolo26n",
        metavar="NAME|PATH",
        help="`freshframe models list` shows names; default %(default)s",
    )
    add(
        "--imgsz",
        type=int,
        default=640,
        metavar="N",
        help="longer side of the network's input; default %(default)s",
    )
    add(
        "--engine",
        default="auto",
        choices=("auto", "onnx", "torch", "openvino", "openvino-int8"),
        help="what runs it; default auto: ONNX Runtime on a CPU, torch on a GPU",
    )
    add(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda:N",
        help="where it runs; default auto: on a GPU where there is one",
    )
    add("--trust-weights", action="store_true", help="load a .pt file of unknown hash: it can run any code")


def model_from_flags(args: argparse.Namespace) -> ModelConfig:
    """`--model` and what goes with it. Raises ConfigError that names the flag."""
    model = {
        "name": args.model,
        "imgsz": args.imgsz,
        "engine": args.engine,
        "device": args.device,
        "trust_weights": args.trust_weights,
    }
    if "conf" in args:
        model |= {"conf": args.conf, "classes": _classes(args.classes)}
    made = _checked({"model": model}, []).model
    assert isinstance(made, ModelConfig)
    return made


def _classes(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise ConfigError(
            f"--classes {text!r}: has an empty name in it; allowed: labels with commas between them, as in "
            "person,car; leave the flag out for all labels"
        )
    return names


def sinks_from_flags(args: argparse.Namespace) -> list[SinkConfig]:
    """`--jsonl`, `--zmq`, `--video`: an output that was asked for by hand is required. And `--show`."""
    wanted: list[dict[str, Any]] = []
    sinks: list[SinkConfig] = []
    if args.jsonl == "-":  # stdout is for the command line only
        sinks.append(JsonlConfig.model_construct(use="jsonl", path="-", required=True))
    elif args.jsonl is not None:
        wanted.append({"use": "jsonl", "path": args.jsonl})
    if args.zmq is not None:
        wanted.append({"use": "zmq", "endpoint": args.zmq, "insecure": args.insecure})
    if args.video is not None:
        wanted.append({"use": "video", "path": args.video})
    if args.insecure and args.zmq is None:
        raise ConfigError("--insecure is for what --zmq publishes, and there is no --zmq")
    for sink in wanted:
        sink["required"] = True
    if args.show or args.show_mode:  # not required: a screen that goes must not end the run
        wanted.append({"use": "window", "mode": args.show_mode or "predicted"})
    flags = [_FLAG_OF_SINK[sink["use"]] for sink in wanted]
    return [*sinks, *_checked({"sinks": wanted}, flags).sinks]


def _checked(tree: dict[str, Any], sink_flags: list[str]) -> Config:
    try:
        return Config.model_validate({**tree, "cameras": _ANY_CAMERA})
    except ValidationError as error:
        lines = []
        for problem in problems_in(error, {}):
            match problem.path:
                case ("sinks", int(number), *_):
                    flag = sink_flags[number]
                case ("model", "name", *_):
                    flag = "--model"
                case ("model", key, *_):
                    flag = f"--{key}"
                case _:  # of several flags together
                    flag = " ".join(sink_flags)
            lines.append(f"{flag}: {problem.text}")
        raise ConfigError("; ".join(lines)) from error


def addresses_of(sources: list[str]) -> list[Address]:
    """With `${NAME}` from the environment, as in a configuration: so secrets stay out of the process list.

    Raises ConfigError.
    """
    filled = fill_in(sources)
    if filled.problems:
        raise ConfigError("; ".join(f"SOURCE: {problem.text}" for problem in filled.problems))
    conceal(filled.secrets)
    return [parse_address(text, environment=filled.secrets) for text in filled.tree]
