"""What each camera wants of a network that it shares: classes, scores, a region."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from detectors.yolo import Yolo
from detectors.yolo.cpu import onnx_engine
from detectors.yolo.postprocess import Layout, decode
from streamer import Camera, Detections, Pipeline
from streamer.cli.assemble import assemble
from streamer.cli.networks import all_classes, lowest_score
from streamer.cli.plan import plans
from streamer.config import Config
from streamer.errors import ConfigError
from streamer.frame import ArrayPicture, Frame, Quality, View
from streamer.looking import EVERYTHING, Looking, Region, Sieve
from tests.boxes import Keeper, Stream

pytestmark = pytest.mark.timeout(60)

LABELS = ("person", "car", "dog")
SIZE = (100, 100)
LEFT = Region([((0, 0), (0.5, 0), (0.5, 1), (0, 1))])


def seen(*things: tuple[int, float, float], labels: Sequence[str] = LABELS) -> Detections:
    """Things by class, score and the x where they stand."""
    xyxy = np.array([(x - 5, 10, x + 5, 50) for _, _, x in things], np.float32).reshape(-1, 4)
    score = np.array([score for _, score, _ in things], np.float32)
    class_id = np.array([kind for kind, _, _ in things], np.int32)
    return Detections(labels, xyxy, score, class_id, extra={"number": np.arange(len(things))})


def kept(looking: Looking, *things: tuple[int, float, float]) -> list[int]:
    numbers: list[int] = Sieve(looking)(seen(*things), SIZE).extra["number"].tolist()
    return numbers


# A sieve

THINGS = ((0, 0.9, 20), (1, 0.3, 80), (2, 0.5, 20), (0, 0.4, 80), (1, 0.5, 50))


@pytest.mark.parametrize(
    ("looking", "numbers"),
    [
        (EVERYTHING, [0, 1, 2, 3, 4]),
        (Looking(classes=("person",)), [0, 3]),
        (Looking(classes=("dog", "car")), [1, 2, 4]),
        (Looking(conf=0.4), [0, 2, 4]),  # above, not at: as the network's own limit
        (Looking(conf=0.45, conf_of={"car": 0.1}), [0, 1, 2, 4]),
        (Looking(conf_of={"person": 0.5}), [0, 1, 2, 4]),
        (Looking(classes=("person", "car"), conf=0.35, conf_of={"car": 0.45}), [0, 3, 4]),
        (Looking(region=LEFT), [0, 2, 4]),
        (Looking(classes=("car",), region=LEFT), [4]),
        (Looking(conf=0.99), []),
    ],
)
def test_what_is_wanted_is_kept_in_order(looking: Looking, numbers: list[int]) -> None:
    assert kept(looking, *THINGS) == numbers


def test_a_score_of_nothing_is_no_limit() -> None:
    """A detector of one's own may say 0, and was asked for no score."""
    assert kept(Looking(classes=("car",)), (1, 0.0, 20)) == [0]
    assert kept(Looking(conf_of={"dog": 0.5}), (1, 0.0, 20)) == [0]


def test_labels_may_change() -> None:
    """As those of a detector that is asked for other words."""
    sieve = Sieve(Looking(classes=("car",)))
    assert len(sieve(seen((1, 0.5, 20)), SIZE)) == 1
    assert len(sieve(seen((1, 0.5, 20), labels=("car", "tree")), SIZE)) == 0
    assert len(sieve(seen((0, 0.5, 20), labels=("car", "tree")), SIZE)) == 1


def test_nothing_seen_and_everything_wanted_are_not_copied() -> None:
    some, none = seen(*THINGS), seen()
    assert Sieve(Looking(conf=0.1, region=Region([((0, 0), (1, 0), (1, 1), (0, 1))])))(some, SIZE) is some
    assert Sieve(Looking(classes=("car",)))(none, SIZE) is none


SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9]) | st.floats(0, 1, width=32)
CLASSES = st.none() | st.lists(st.sampled_from(LABELS), min_size=1, unique=True)
WISHES = st.builds(
    lambda classes, conf, conf_of: Looking(
        classes, conf, {name: score for name, score in conf_of.items() if not classes or name in classes}
    ),
    CLASSES, SCORE, st.dictionaries(st.sampled_from(LABELS), SCORE),
)  # fmt: skip


@given(
    wishes=st.lists(WISHES, min_size=1, max_size=4), kind=st.sampled_from(Layout), seed=st.integers(0, 10**6)
)
def test_a_shared_network_gives_what_one_of_its_own_gives(
    wishes: list[Looking], kind: Layout, seed: int
) -> None:
    """Asked for what all want together, and sieved: the very boxes that each would have got alone."""
    rng = np.random.default_rng(seed)
    if kind is Layout.END_TO_END:
        corner = rng.uniform(0, 80, (1, 30, 2))
        score = -np.sort(-rng.choice([*rng.uniform(0, 1, 5), 0.25, 0.5], (1, 30, 1)))
        output = np.concatenate((corner, corner + 9, score, rng.integers(0, 3, (1, 30, 1))), 2)
    else:
        output = np.concatenate(
            (rng.integers(0, 40, (1, 2, 30)), np.full((1, 2, 30), 20), rng.random((1, 3, 30))), 1
        )
    output = output.astype(np.float32)
    union = all_classes(wishes)
    asked = np.array([union is None or label in union for label in LABELS])
    (together,) = decode(output, kind, lowest_score(wishes), asked)
    for looking in wishes:
        got = Sieve(looking)(Detections(LABELS, together.xyxy, together.score, together.class_id), SIZE)
        rows = []
        for number, label in enumerate(LABELS):  # alone: a network for each class and its score
            if looking.classes is None or label in looking.classes:
                above = looking.conf_of.get(label, looking.conf)
                assert above is not None
                (alone,) = decode(output, kind, above, np.arange(3) == number)
                rows += [(label, score, *box) for score, box in zip(alone.score, alone.xyxy, strict=True)]
        ours = [(got.label(i), got.score[i], *got.xyxy[i]) for i in range(len(got))]
        assert sorted(ours) == sorted(rows)


# What the detector is shown


def frame(size: tuple[int, int] = SIZE) -> Frame:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    return Frame("gate", 0, 0, 0, 0, None, None, True, Quality.FINE, ArrayPicture(pixels))


def test_the_detector_is_shown_the_picture_or_the_rectangle_round_the_region() -> None:
    square = Region([((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))])
    everywhere = Region([((0, 0), (1, 0), (1, 1), (0, 1))])
    assert EVERYTHING.view(frame()).region is None
    assert Looking(region=square).view(frame()).region is None
    assert Looking(region=everywhere, look_at="region").view(frame()).region is None
    shown = Looking(region=square, look_at="region").view(frame((200, 100)))
    assert shown.region == (60, 30, 140, 70)
    assert shown.bgr().shape == (40, 80, 3)


class Corners:
    """Sees a thing in the middle of whatever it is shown, as every detector has to: in the frame's pixels."""

    labels: Sequence[str] = LABELS

    def __init__(self, max_batch: int = 1) -> None:
        self.max_batch = max_batch
        self.shown: dict[str, set[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def detect(self, views: Sequence[View]) -> list[Detections]:
        return [self._one(view) for view in views]

    def _one(self, view: View) -> Detections:
        self.shown.setdefault(view.frame.camera, set()).add((view.region, view.bgr().shape))
        x1, y1, x2, y2 = view.region or (0, 0, *view.size)
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        xyxy = np.array([[x - 1, y - 2, x + 1, y]] * 3, np.float32)
        return Detections(LABELS, xyxy, np.array([0.9, 0.6, 0.3], np.float32), np.arange(3, dtype=np.int32))


def run(
    detector: Any, wishes: Mapping[str, Looking], processed: int | None = 3
) -> Mapping[str, list[tuple[str, ...]]]:
    """What is reported of each camera, pictures of 16×12."""
    pipeline, keeper = Pipeline(on_status=lambda _: None), Keeper()
    for name, looking in wishes.items():
        pipeline.add(Camera(name, Stream(live=False, count=3), looking=looking), detector)
    pipeline.sink(keeper)
    pipeline.run()
    for camera in pipeline.stats().cameras:
        assert processed is None or camera.processed == processed
    said: dict[str, list[tuple[str, ...]]] = {}
    for result in keeper.got:
        things = result.detections
        said.setdefault(result.frame.camera, []).append(tuple(things.label(i) for i in range(len(things))))
    return said


@pytest.mark.parametrize("max_batch", [1, 4])
def test_each_camera_gets_what_it_wants_of_one_detector(max_batch: int) -> None:
    corners = Corners(max_batch)
    right = Region([((0.75, 0.5), (1, 0.5), (1, 1), (0.75, 1))])
    said = run(
        corners,
        {
            "all": EVERYTHING,
            "people": Looking(classes=("person",)),
            "sure": Looking(conf=0.5),
            "elsewhere": Looking(region=right),
            "closer": Looking(classes=("dog",), region=right, look_at="region"),
        },
    )
    assert {name: set(labels) for name, labels in said.items()} == {
        "all": {LABELS},
        "people": {("person",)},
        "sure": {("person", "car")},
        "elsewhere": {()},
        "closer": {("dog",)},
    }
    assert corners.shown.pop("closer") == {((10, 4, 16, 12), (8, 6, 3))}
    assert set.union(*corners.shown.values()) == {(None, (12, 16, 3))}


def test_frames_that_are_looked_at_once_more_alone_are_cut_in_the_same_way() -> None:
    """A batch that fails is taken apart, in either of a worker's threads."""

    class Unsociable(Corners):
        def detect(self, views: Sequence[View]) -> list[Detections]:
            if len(views) > 1:
                raise RuntimeError("one at a time, please")
            return super().detect(views)

    class Picky(Unsociable):
        def prepare(self, views: Sequence[View]) -> Sequence[View]:
            if {view.frame.camera for view in views} >= {"a"}:
                self.detect(views)  # alone it works: so whose fault is it? Nobody is looked at
            return views

        def infer(self, batch: Sequence[View]) -> list[Detections]:
            return [self._one(view) for view in batch]

    corner = Region([((0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5))])
    wishes = {name: Looking(region=corner, look_at="region") for name in ("a", "b", "c")}
    for detector in (Unsociable(max_batch=4), Picky(max_batch=4)):
        run(detector, wishes, processed=3 if type(detector) is Unsociable else None)
        assert set.union(*detector.shown.values()) == {((0, 0, 10, 8), (8, 10, 3))}


def test_what_is_not_wanted_is_nowhere() -> None:
    """Not in the table either: it counts what is reported."""
    pipeline, keeper = Pipeline(on_status=lambda _: None), Keeper()
    camera = Camera("gate", Stream(live=False, count=3), looking=Looking(classes=("car",)))
    pipeline.add(camera, Corners())
    pipeline.sink(keeper)
    pipeline.run()
    assert pipeline.stats().cameras[0].objects == {"car": 1}


def test_a_class_that_the_opened_detector_does_not_know_ends_it_before_anything_is_looked_at() -> None:
    corners = Corners()
    with pytest.raises(ConfigError, match=r"yard: the model Corners knows no 'dgo'; did you mean dog\?"):
        run(corners, {"gate": EVERYTHING, "yard": Looking(conf_of={"dgo": 0.5})})
    assert not corners.shown


def test_classes_of_a_detector_that_names_none_cannot_be_wanted() -> None:
    """They would be looked for in vain, and nobody would know."""

    class Nameless(Corners):
        labels = ()

    nameless = Nameless()
    with pytest.raises(
        ConfigError,
        match=r"^yard: 'car', 'dog' cannot be asked of the model Nameless, which names no labels$",
    ):
        run(nameless, {"gate": EVERYTHING, "yard": Looking(classes=("car",), conf_of={"dog": 0.5})})
    assert not nameless.shown
    assert run(nameless, {"gate": Looking(conf=0.5)}) == {"gate": [("person", "car")] * 3}


MISSPELT: Any = "regoin"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Looking(classes="car"), "classes must be a list of labels, not 'car'"),
        (lambda: Looking(classes=()), "classes must name at least one label; leave it out for all"),
        (lambda: Looking(conf=25), "conf must be between 0 and 1, not 25"),
        (lambda: Looking(conf_of={"car": 50}), "conf of 'car' must be between 0 and 1, not 50"),
        (lambda: Looking(conf=float("nan")), "conf must be between 0 and 1, not nan"),
        (lambda: Looking(look_at=MISSPELT), "look_at must be picture or region, not 'regoin'"),
        (lambda: Looking(look_at="region"), "look_at='region' needs a region"),
    ],
)
def test_wishes_that_would_let_nothing_or_everything_through_are_refused(
    wrong: Callable[[], Looking], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        wrong()
    assert str(caught.value) == said


# One network for cameras that want different things


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """An .onnx that sees the same in every picture: of each class two, of different scores."""
    rows = [(8 + 16 * i, 8, 16 + 16 * i, 60, score, i) for score in (0.8, 0.4) for i in range(3)]
    answer = onnx.numpy_helper.from_array(np.array([rows], np.float32))
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["output"], value=answer)],
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ("batch", 3, "height", "width"))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 6, 6))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"names": str(dict(enumerate(LABELS))), "task": "detect"})
    onnx.save(model, tmp_path / "own.onnx")
    return tmp_path / "own.onnx"


Counted = Callable[[], int]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Counted:
    """How many networks were loaded."""
    monkeypatch.setenv("FRESHFRAME_CACHE", str(tmp_path / "cache"))
    made: list[object] = []
    init = onnx_engine.OnnxEngine.__init__

    def counted(self: onnx_engine.OnnxEngine, *args: Any, **options: Any) -> None:
        made.append(self)
        init(self, *args, **options)

    monkeypatch.setattr(onnx_engine.OnnxEngine, "__init__", counted)
    return lambda: len(made)


def reported(tree: dict[str, Any]) -> dict[str, dict[str, int]]:
    """What each camera of a configuration reports of one frame: how many of which class."""
    pipeline, keeper = assemble(plans(Config.model_validate(tree)), []), Keeper()
    pipeline.sink(keeper)
    pipeline.run()
    said: dict[str, dict[str, int]] = {}
    for result in keeper.got:
        labels = [result.detections.label(i) for i in range(len(result.detections))]
        said[result.frame.camera] = {label: labels.count(label) for label in dict.fromkeys(labels)}
    return said


SYNTHETIC = "synthetic:?size=64x64&count=2"


def test_cameras_that_want_different_things_share_one_network(network: Path, loaded: Counted) -> None:
    model = {"name": str(network), "imgsz": 64, "classes": ["person", "dog"]}
    own_words = {"classes": None, "conf": {"default": 0.5, "car": 0.1}}
    lower_left = [[0, 0.5], [0.3, 0.5], [0.3, 1], [0, 1]]
    said = reported(
        {
            "model": model,
            "cameras": {
                "as_the_model_says": {"source": SYNTHETIC},
                "cars": {"source": SYNTHETIC, "classes": ["car"]},
                "sure": {"source": SYNTHETIC, "conf": 0.5},
                "sure_of_dogs": {"source": SYNTHETIC, "conf": {"dog": 0.5}},
                "there": {"source": SYNTHETIC, "region": lower_left},
                "own_words": {"source": SYNTHETIC, "model": model | own_words},
            },
        }
    )  # fmt: skip
    assert said == {
        "as_the_model_says": {"person": 2, "dog": 2},
        "cars": {"car": 2},
        "sure": {"person": 1, "dog": 1},
        "sure_of_dogs": {"person": 2, "dog": 1},
        "there": {"person": 2},
        "own_words": {"person": 1, "car": 2, "dog": 1},
    }
    assert loaded() == 1


def test_other_networks_are_others(network: Path, loaded: Counted) -> None:
    model = {"name": str(network), "imgsz": 64}
    cameras = {
        "a": {"source": SYNTHETIC},
        "b": {"source": SYNTHETIC, "model": model | {"imgsz": 96, "classes": ["car"]}},
        "c": {"source": SYNTHETIC, "model": model | {"imgsz": 96}},
    }
    said = reported({"model": model, "cameras": cameras})
    assert said["a"] == said["c"] == {"person": 2, "car": 2, "dog": 2}
    assert said["b"] == {"car": 2}
    assert loaded() == 2


def test_an_unknown_class_of_a_file_is_said_with_its_camera(network: Path, loaded: Counted) -> None:
    """Also where nobody wants all, and it is the network that is asked for it."""
    cameras = {
        "gate": {"source": SYNTHETIC, "classes": ["car"]},
        "yard": {"source": SYNTHETIC, "classes": ["dgo"]},
    }
    with pytest.raises(ConfigError, match=r"^yard: the model own knows no 'dgo'; did you mean dog\?$"):
        reported({"model": {"name": str(network), "imgsz": 64}, "cameras": cameras})


def test_the_labels_of_the_catalogue_are_those_of_the_network(yolo26n: Path) -> None:
    yolo = Yolo("yolo26n", imgsz=320)
    known = tuple(yolo.labels)
    assert len(known) == 80
    with yolo:
        assert tuple(yolo.labels) == known


def test_an_unknown_class_is_named_before_anything_is_loaded(yolo26n: Path) -> None:
    cameras = {"gate": {"source": SYNTHETIC}, "cat5": {"source": SYNTHETIC, "classes": ["perzon", "car"]}}
    with pytest.raises(
        ConfigError, match=r"^cat5: the model yolo26n knows no 'perzon'; did you mean person\?"
    ):
        reported({"cameras": cameras})
    cameras = {"cat5": {"source": SYNTHETIC, "conf": {"default": 0.3, "zebras": 0.5}}}
    with pytest.raises(ConfigError, match=r"knows no 'zebras'; did you mean zebra\?"):
        reported({"cameras": cameras})
    cameras = {"cat5": {"source": SYNTHETIC, "classes": ["Gabelstapler"]}}
    with pytest.raises(ConfigError, match=r"knows no 'Gabelstapler'; it knows person, bicycle, car, .* …$"):
        reported({"cameras": cameras})
