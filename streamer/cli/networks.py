"""Cameras → detectors: those that differ only in what they want of a network share it."""

from collections.abc import Sequence

from streamer.cli.plan import CameraPlan
from streamer.cli.wiring import YOLO, build
from streamer.config.model import DetectorConfig, ModelConfig, wanted_of
from streamer.contracts import Detector
from streamer.errors import ConfigError
from streamer.looking import Looking, check_known


def shared_by(plans: Sequence[CameraPlan]) -> list[Detector]:
    """The detector of each camera, in order; one that several cameras share is there several times.

    Nothing is loaded. Raises what `detector_of` raises.
    """
    made: dict[str, Detector] = {}
    for group in groups(plans):
        detector = detector_of(group)
        for plan in group:
            try:
                check_classes(plan, detector)
            except ConfigError as error:
                raise ConfigError(f"{plan.name}: {error}") from error
            made[plan.name] = detector
    return [made[plan.name] for plan in plans]


def groups(plans: Sequence[CameraPlan]) -> list[list[CameraPlan]]:
    """The cameras that share a detector."""
    networks: dict[str, list[CameraPlan]] = {}
    for plan in plans:
        networks.setdefault(_network(plan.model), []).append(plan)
    return list(networks.values())


def detector_of(group: Sequence[CameraPlan]) -> Detector:
    """The detector that some cameras share.

    A network is asked for the classes and the lowest score that any of them wants; each camera's own wishes
    are seen to afterwards. Raises ConfigError, AssetError, DetectorError.
    """
    return _made(group[0].model, [plan.wishes for plan in group])


def detector_for(model: ModelConfig | DetectorConfig) -> Detector:
    """The detector that a model's configuration describes, for whoever wants all that it says."""
    return _made(model, [wanted_of(model)])


def _network(model: ModelConfig | DetectorConfig) -> str:
    """What two cameras' models have in common where they can share a network."""
    # As Python writes it: JSON has no word for infinity, and says null.
    return repr(model.model_dump(exclude=None if isinstance(model, DetectorConfig) else {"classes", "conf"}))


def _made(model: ModelConfig | DetectorConfig, wishes: Sequence[Looking]) -> Detector:
    made: Detector
    if isinstance(model, DetectorConfig):
        made = build(model.use, model.arguments(), "model", needs="detect")
    else:
        arguments = model.model_dump(exclude={"name", "classes", "conf"})
        arguments |= {
            "name_or_path": model.name,
            "classes": all_classes(wishes),
            "conf": lowest_score(wishes),
        }
        made = build(YOLO, arguments, "model")
    return made


def all_classes(wishes: Sequence[Looking]) -> list[str] | None:
    """All that anybody wants; None where somebody wants all."""
    named: dict[str, None] = {}
    for looking in wishes:
        if looking.classes is None:
            return None
        named |= dict.fromkeys(looking.classes)
    return list(named)


def lowest_score(wishes: Sequence[Looking]) -> float:
    """The lowest score that anybody wants of anything."""
    scores: list[float] = []
    for looking in wishes:
        default = 0.0 if looking.conf is None else looking.conf
        if looking.classes is None:
            scores += [default, *looking.conf_of.values()]
        else:
            scores += [looking.conf_of.get(name, default) for name in looking.classes]
    return min(scores)


def check_classes(plan: CameraPlan, detector: Detector, *, thoroughly: bool = False) -> None:
    """Raises ConfigError for a class that a detector does not know, where it says so before it is opened.

    Where it does not, the pipeline checks it then. To look `thoroughly` may take a moment, and raises
    DetectorError.
    """
    model = plan.model.use if isinstance(plan.model, DetectorConfig) else plan.model.name
    labels = getattr(detector, "labels", ())
    if thoroughly and plan.wishes.named and not labels and hasattr(detector, "stated_labels"):
        labels = detector.stated_labels()
    check_known(plan.wishes, labels, model)
