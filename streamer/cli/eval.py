"""`freshframe eval`: how accurate a model is on pictures of known content, and whether another is better."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from streamer.assets import cached, find, sha256_of
from streamer.cli.console import lines_to_stderr, log_to, quiet, say
from streamer.cli.eval_page import Outcome, margin_of, page, tree
from streamer.cli.flags import add_network_flags, model_from_flags
from streamer.cli.networks import detector_for
from streamer.cli.wording import counted, plural
from streamer.config.model import ModelConfig
from streamer.contracts import Detector
from streamer.errors import AssetError, ConfigError, FreshframeError
from streamer.evaluation import (
    CONF,
    Dataset,
    Exam,
    judged,
    nearest,
    read_dataset,
    some,
)

SAID_EVERY_S = 10.0  # how far it is
NAMED = 5  # of many classes, in an error

EXAMPLES = """\
examples:
  freshframe eval coco/instances.json         pictures beside it or in images
  freshframe eval data.yaml --model best.pt --trust-weights
  freshframe eval data.yaml --against best.pt --trust-weights
  freshframe eval data.yaml --engine onnx --against-engine openvino-int8
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `eval` to the command line."""
    parser = subparsers.add_parser(
        "eval",
        help="measure how accurate a model is, or compare two",
        description="Looks at pictures of known content through the pipeline and prints average precision as "
        "COCO counts it. Classes go by their names.",
        epilog=EXAMPLES,
    )
    add = parser.add_argument
    add(
        "dataset",
        type=Path,
        metavar="DATASET",
        help="COCO's JSON file, YOLO's data.yaml, or a folder with one of them or with images and labels",
    )
    add("--images", type=Path, metavar="FOLDER", help="the pictures of a JSON file; default: beside it")
    add_network_flags(parser)
    add("--against", metavar="NAME|PATH", help="compare with this model")
    add(
        "--against-engine",
        metavar="ENGINE",
        choices=get_args(ModelConfig.model_fields["engine"].annotation),
        help="compare with this engine; the same as for --engine",
    )
    add(
        "--map",
        action="append",
        default=[],
        metavar="CLASS=LABEL",
        help="what the model calls a class of the dataset; may be given again",
    )
    add("--classes", metavar="a,b", help="judge these only, as the model calls them; default all")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.set_defaults(run=_run, interrupted="there is no answer yet")


def _run(args: argparse.Namespace) -> int:
    models = _models(args)
    dataset = _judged_part(read_dataset(args.dataset, args.images), args)
    _check_writable(args.json, {Path(dataset.where), *(Path(model.name) for model in models)})
    detectors = [detector_for(model) for model in models]  # what is wrong with them is said before the start
    for remark in dataset.remarks:
        say(remark)
    outcomes = []
    for model, detector in zip(models, detectors, strict=True):
        outcome = _examined(model, detector, dataset)
        if outcome is None:
            return 1
        outcomes.append(outcome)
    off = margin_of(dataset, outcomes)
    if args.json is not None:
        args.json.write_text(f"{json.dumps(tree(dataset, outcomes, off), indent=1)}\n", encoding="utf-8")
    sys.stdout.write(page(dataset, outcomes, off))
    return 0


def _examined(model: ModelConfig, detector: Detector, dataset: Dataset) -> Outcome | None:
    """One model's exam. None where it broke off, which is said; raises what is wrong before that."""
    count = len(dataset.pictures)
    exam = Exam(
        dataset, detector, accept=partial(_check_known, dataset, model.name), progress=_progress(count)
    )
    sha256 = _fingerprint(model.name)  # what changes from here on is not loaded
    say(f"{model.name}, engine {model.engine}: looking at {counted(count, 'picture')}")
    aside = log_to(lines_to_stderr())
    try:
        looked = exam.run()
    except FreshframeError as error:
        if isinstance(error, ConfigError) or not exam.begun:
            raise
        say(str(error))
        return None
    finally:
        quiet(aside)
    return Outcome(model.name, model.engine, sha256, looked, judged(dataset, looked))


def _models(args: argparse.Namespace) -> list[ModelConfig]:
    """The one, or the two that are to be compared. Raises ConfigError."""
    first = model_from_flags(args).model_copy(update={"conf": CONF})
    if args.against is None and args.against_engine is None:
        return [first]
    name, engine = args.against or first.name, args.against_engine or first.engine
    if (name, engine) == (first.name, first.engine):
        raise ConfigError(
            "--against and --against-engine name what --model and --engine name: that is no other"
        )
    return [first, first.model_copy(update={"name": name, "engine": engine})]


def _judged_part(dataset: Dataset, args: argparse.Namespace) -> Dataset:
    """The dataset with the model's words for things, and without what is not asked for."""
    names = {}
    for text in args.map:
        ours, equals, theirs = text.partition("=")
        if not equals or not ours.strip() or not theirs.strip():
            raise ConfigError(f"--map {text}: allowed is CLASS=LABEL, as in pedestrian=person")
        names[ours.strip()] = theirs.strip()
    dataset = dataset.renamed(names)
    if args.classes is not None:
        dataset = dataset.only([name.strip() for name in args.classes.split(",")])
        if not dataset.boxes:
            raise ConfigError(
                f"--classes {args.classes}: {dataset.where} shows nothing of it but crowds, which count "
                "neither way: nothing can be measured"
            )
    return dataset


def _check_known(dataset: Dataset, model: str, labels: Sequence[str]) -> None:
    """Raises ConfigError where the dataset shows what the model has no word for."""
    unknown = [name for name in dataset.boxes if name not in labels]
    if not unknown:
        return
    known = [name for name in dataset.boxes if name in labels]
    meant = [f"{name} ({near}?)" if (near := nearest(name, labels)) else name for name in unknown]
    raise ConfigError(
        f"{dataset.where} has {plural(len(unknown), 'class', 'classes')} that {model} has no label for: "
        f"{some(meant)}. "
        "Say what the model calls them: --map CLASS=LABEL for each"
        + (f"; or judge only some: --classes '{','.join(known[:NAMED])}'" if known else "")
        + f". Its labels: {some(labels)}"
    )


def _check_writable(path: Path | None, read: Collection[Path]) -> None:
    """Raises ConfigError: nobody wants to learn at the end that the figures go nowhere, or over `read`."""
    if path is None:
        return
    if any(path.exists() and one.exists() and path.samefile(one) for one in read):
        raise ConfigError(f"--json {path}: is what is to be read; write elsewhere")
    try:
        there = path.exists()
        with path.open("a"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise ConfigError(
            f"--json {path}: cannot be written: {(error.strerror or str(error)).lower()}"
        ) from error


def _fingerprint(name: str) -> str:
    """The SHA-256 of the model's file."""
    path = Path(name) if Path(name).suffix in (".pt", ".onnx") else cached(find(name))
    if path is None:
        raise AssetError(f"{name} has left the cache while it was used")
    return sha256_of(path)


def _progress(count: int) -> Callable[[int], None]:
    said_s = time.monotonic()

    def tell(done: int) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= SAID_EVERY_S:
            said_s = time.monotonic()
            say(f"{done} of {count} pictures")

    return tell
