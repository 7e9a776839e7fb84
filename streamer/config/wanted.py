"""Classes, scores and a part of the picture: how they are written, and what they come to for a camera."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from streamer.config.part import TAG, refused
from streamer.looking import Looking, Region
from streamer.looking.polygon import MOST_POINTS, check_polygon
from streamer.looking.region import MOST_POLYGONS

DEFAULT_CONF = 0.25
OTHERS = "default"  # the key in `conf` that stands for the classes it does not name

Label = Annotated[str, Field(min_length=1)]
Classes = Annotated[tuple[Label, ...], Field(strict=False, min_length=1)]
Score = Annotated[float, Field(ge=0, le=1)]
Scores = Annotated[dict[Label, Score], Field(min_length=1)]


def _kind_of_conf(value: Any) -> str:
    return f"{TAG}scores" if isinstance(value, Mapping) else f"{TAG}score"


Conf = Annotated[
    Annotated[Score, Tag(f"{TAG}score")] | Annotated[Scores, Tag(f"{TAG}scores")],
    Discriminator(_kind_of_conf),
]


def _point(numbers: tuple[float, ...]) -> tuple[float, ...]:
    if len(numbers) != 2:
        raise refused("a point: [x, y]")
    return numbers


Point = Annotated[
    tuple[float, ...],
    Field(
        strict=False,
        json_schema_extra={
            "minItems": 2,
            "maxItems": 2,
            "items": {"type": "number", "minimum": 0, "maximum": 1},
        },
    ),
    AfterValidator(_point),
]
Polygon = Annotated[
    tuple[Point, ...],
    Field(strict=False, json_schema_extra={"minItems": 3, "maxItems": MOST_POINTS}),
    AfterValidator(check_polygon),
]


def _kind_of_region(value: Any) -> str:
    first = value[0] if isinstance(value, list | tuple) and value else None
    several = isinstance(first, list | tuple) and first and isinstance(first[0], list | tuple)
    return f"{TAG}polygons" if several else f"{TAG}polygon"


Polygons = Annotated[
    Annotated[Polygon, Tag(f"{TAG}polygon")]
    | Annotated[
        tuple[Polygon, ...],
        Field(strict=False, min_length=1, max_length=MOST_POLYGONS),
        Tag(f"{TAG}polygons"),
    ],
    Discriminator(_kind_of_region),
]


def check_named(conf: float | Mapping[str, float] | None, classes: tuple[str, ...] | None) -> None:
    """Raises ValueError where `conf` names a class that `classes`, beside it, leaves out."""
    if isinstance(conf, Mapping) and classes is not None:
        idle = [name for name in conf if name not in (*classes, OTHERS)]
        if idle:
            raise ValueError(f"conf names {', '.join(idle)}, which its classes leave out")


def wanted(
    classes: tuple[str, ...] | None,
    *confs: float | Mapping[str, float] | None,
    region: Any = None,
    look_at: Any = "picture",
) -> Looking:
    """What is wanted, where later ones of `confs` go before earlier ones; None says nothing.

    A mapping is laid over what came before it, a number takes its place.
    """
    default: float | None = None
    conf_of: dict[str, float] = {}
    for conf in confs:
        if isinstance(conf, Mapping):
            default = conf.get(OTHERS, default)
            conf_of |= {name: score for name, score in conf.items() if name != OTHERS}
        elif conf is not None:
            default, conf_of = conf, {}
    if classes is not None:
        conf_of = {name: score for name, score in conf_of.items() if name in classes}
    return Looking(classes, default, conf_of, _region(region), look_at)


def _region(polygons: Any) -> Region | None:
    if polygons is None:
        return None
    return Region([polygons] if _kind_of_region(polygons).endswith("polygon") else polygons)
