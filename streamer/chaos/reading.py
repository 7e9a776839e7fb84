"""A scenario file: YAML to a Scenario, or one error that lists everything that is wrong with it."""

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamer.chaos.allowed import Allowed
from streamer.chaos.scenario import AT_ONCE, Fault, Scenario, Scene
from streamer.chaos.words import PICTURES, wrong_with_network, wrong_with_words
from streamer.config.document import parse
from streamer.config.load import refusal, text_of
from streamer.config.model import DetectorConfig, ModelConfig
from streamer.config.problems import problems_in
from streamer.config.schema import Config
from streamer.sources.pattern import parse_pattern

KEYS = ("seed", "for", "cameras", "transport", "isolation", "model", "faults")
SCENE_KEYS = ("count", "clip", "size", "fps")
FAULT_KEYS = ("at", "camera", "fault", "network", "for")
GROUPS = ("all", "half", "any")

MOST_CAMERAS = 64
LONGEST_S = 86_400.0
SHORTEST_S = 2.0
RETURN_S = 1.0  # at the least there has to be, for a return to be seen
PICTURES_RETURN_S = 2.5  # they end with a keyframe


def read_scenario(path: str | os.PathLike[str]) -> Scenario:
    """Read a scenario file. A relative `clip:` counts from the file's folder.

    Raises ConfigError, whose text lists every problem: file, line, entry, found, allowed.
    """
    file = os.fspath(path)
    document = parse(text_of(file), file)
    reader = _Reader(Path(file).absolute().parent)
    scenario = reader.scenario(document.tree)
    problems = [*document.problems, *reader.allowed.problems]
    if problems or scenario is None:
        raise refusal(file, document, problems)
    return scenario


class _Reader:
    """Reads a tree part by part; what is wrong is noted in `allowed`, and reading goes on."""

    def __init__(self, folder: Path) -> None:
        self.allowed = Allowed()
        self._folder = folder

    def scenario(self, tree: Any) -> Scenario | None:
        a = self.allowed
        if not a.mapping(tree, (), KEYS):
            return None
        for_s = a.number(tree, (), "for", SHORTEST_S, LONGEST_S)
        seed = a.whole(tree, (), "seed", 0, 2**32 - 1, default=0)
        transport = a.one_of(tree, (), "transport", ("tcp", "udp"))
        isolation = a.one_of(tree, (), "isolation", ("thread", "process"))
        scene = self._scene(tree.get("cameras", 4))
        model = self._model(tree["model"]) if "model" in tree else None
        faults = self._faults(tree.get("faults", []), scene.count, for_s, random.Random(seed))
        if a.problems:
            return None
        return Scenario(for_s, faults, scene, seed, transport, isolation, model)

    def _scene(self, value: Any) -> Scene:
        a, path = self.allowed, ("cameras",)
        if isinstance(value, int) and not isinstance(value, bool):
            return Scene(a.whole({"cameras": value}, (), "cameras", 1, MOST_CAMERAS))
        if not a.mapping(value, path, SCENE_KEYS, or_else=f"1 to {MOST_CAMERAS}, or "):
            return Scene(1)
        usual = Scene()
        count = a.whole(value, path, "count", 1, MOST_CAMERAS, default=usual.count)
        clip = a.text(value, path, "clip")
        if clip is None:
            return Scene(
                count, None, self._size(value), a.whole(value, path, "fps", 1, 60, default=usual.fps)
            )
        for key in {"size", "fps"} & value.keys():
            a.refuse((*path, key), f"a clip has its own; leave {key} or clip out")
        return Scene(count, self._folder / clip)

    def _size(self, value: dict[str, Any]) -> tuple[int, int]:
        size = self.allowed.text(value, ("cameras",), "size")
        if size is None:
            return Scene().size
        try:
            found = parse_pattern(f"?size={size}").size
        except ValueError:
            found = (0, 0)
        if min(found) < 240 or max(found) > 3840:  # there is room for both bands, and for the scene
            self.allowed.wrong(("cameras", "size"), size, "as 640x360, each side 240 to 3840 pixels")
        return found

    def _model(self, value: Any) -> ModelConfig | DetectorConfig | None:
        tree = {"model": value, "cameras": {"camera": {"source": "synthetic:"}}}
        try:
            return Config.model_validate(tree, context={"folder": self._folder}).model
        except ValidationError as error:
            self.allowed.problems += problems_in(error, {})
            return None

    def _faults(self, value: Any, count: int, for_s: float, chance: random.Random) -> tuple[Fault, ...]:
        if not isinstance(value, list):
            self.allowed.wrong(("faults",), value, "a list of what is to fail")
            return ()
        return tuple(
            fault
            for index, entry in enumerate(value)
            if (fault := self._fault(entry, ("faults", index), count, for_s, chance)) is not None
        )

    def _fault(
        self, value: Any, path: tuple[str | int, ...], count: int, for_s: float, chance: random.Random
    ) -> Fault | None:
        a = self.allowed
        if not a.mapping(value, path, FAULT_KEYS):
            return None
        at_s = a.number(value, path, "at", 0, for_s)
        cameras = self._cameras(value.get("camera"), (*path, "camera"), count, chance)
        if ("fault" in value) == ("network" in value):
            a.refuse(path, "either fault (of the camera) or network (of the way to it) must be given")
            return None
        key = "network" if "network" in value else "fault"
        words = " ".join((a.text(value, path, key) or "").split())
        wrong = wrong_with_network(words) if key == "network" else wrong_with_words(words)
        if wrong:
            a.refuse((*path, key), wrong)
            return None
        lasts_s = a.number(value, path, "for", 0.05, LONGEST_S) if "for" in value else None
        fault = Fault(at_s, cameras, words, key == "network", lasts_s)
        if lasts_s is not None and fault.word in AT_ONCE:
            a.refuse((*path, "for"), f"{fault.word} happens once; leave for out")
        return_s = PICTURES_RETURN_S if key == "fault" and fault.word in PICTURES else RETURN_S
        if fault.end_s is not None and fault.end_s > for_s - return_s:
            a.refuse(
                path,
                f"it ends at {fault.end_s:g} s, the run at {for_s:g} s; allowed: up to "
                f"{for_s - return_s:g} s, so that the return can be seen",
            )
        return fault

    def _cameras(
        self, value: Any, path: tuple[str | int, ...], count: int, chance: random.Random
    ) -> tuple[int, ...]:
        names = [f"cam{index}" for index in range(count)]
        match value:
            case "all":
                return tuple(range(count))
            case "half":
                return tuple(range(max(1, count // 2)))
            case "any":
                return (chance.randrange(count),)
            case str():
                wanted: Sequence[Any] = [value]
            case list() if value:
                wanted = value
            case _:
                wanted = []
        if not wanted or any(name not in names for name in wanted):
            shown = "cam0" if count == 1 else f"cam0 to cam{count - 1}"
            self.allowed.wrong(path, value, f"{shown}, a list of them, {', '.join(GROUPS)}")
            return ()
        return tuple(sorted({names.index(name) for name in wanted}))
