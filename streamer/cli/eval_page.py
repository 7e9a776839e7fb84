"""What an evaluation came to, as a page for people and as a tree for machines."""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from rich.console import Console
from rich.table import Table

from streamer.cli.console import shown
from streamer.cli.wording import counted, plural
from streamer.evaluation import FEWEST, Dataset, Judged, Looked, Precision, margin

FIGURES = ("ap", "ap50", "ap75", "small", "medium", "large")
TITLES = ("AP", "AP50", "AP75", "AP small", "AP medium", "AP large")
WIDTH = 80  # columns
NAME, TITLE = 20, 13  # of them for a class, for what a model is called over its figures


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One model on a dataset."""

    model: str  # as it was asked for
    engine: str
    sha256: str
    looked: Looked
    judged: Judged

    @property
    def precision(self) -> Precision:
        return self.judged.precision

    @property
    def rate(self) -> float:
        """Pictures a second, from reading to the result."""
        return len(self.looked.seen) / max(self.looked.took_s, 1e-9)


def margin_of(dataset: Dataset, outcomes: Sequence[Outcome]) -> float | None:
    """How far AP, or the difference of two, may be off; None where there are too few pictures to say."""
    if dataset.showing() < FEWEST:
        return None
    return margin(*(one.judged.matches for one in outcomes))


def page(dataset: Dataset, outcomes: Sequence[Outcome], off: float | None) -> str:
    """The figures of one model, or of two beside each other with the difference, which may be so far off."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, markup=False, emoji=False, highlight=False)
    boxes = plural(dataset.boxes.total(), "box", "boxes")
    classes = plural(len(outcomes[0].precision.classes), "class", "classes")
    console.print(shown(dataset.where), soft_wrap=True)
    console.print(f"{_pictures(dataset)}, {boxes} of {classes}")
    if dataset.crowds:
        crowds = plural(dataset.crowds, "crowd counts", "crowds count")
        console.print(f"{crowds} neither way")
    for title, one in zip(_titles(outcomes), outcomes, strict=True):
        info = one.looked.model
        console.print(
            f"{title}: {'' if title == one.model else f'{shown(one.model)}, '}"
            f"{info.engine} {info.precision}, input {info.imgsz}, "
            f"sha256 {one.sha256[:12]}\n"
            f"  {one.looked.network_ms:.1f} ms a picture in the network, {one.rate:.1f} pictures a second",
            soft_wrap=True,
        )
    console.print()
    console.print(_overall(outcomes))
    console.print()
    console.print("\n".join(_chance(dataset, outcomes, off)))
    console.print()
    console.print(_by_class(outcomes))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _pictures(dataset: Dataset) -> str:
    count = len(dataset.pictures)
    empty = count - dataset.showing()
    return counted(count, "picture") + (f" ({empty} without a box)" if empty else "")


def _with_boxes(dataset: Dataset) -> str:
    """The pictures that show something, called so where there are others."""
    count = dataset.showing()
    return counted(count, "picture") + (" with boxes" if count < len(dataset.pictures) else "")


def tree(dataset: Dataset, outcomes: Sequence[Outcome], off: float | None) -> dict[str, Any]:
    """The same for machines; figures that there are none of are null."""
    told: dict[str, Any] = {
        "dataset": dataset.where,
        "pictures": len(dataset.pictures),
        "boxes": dataset.boxes.total(),
        "crowds": dataset.crowds,
        "models": [
            {
                "model": one.model,
                "sha256": one.sha256,
                "engine": one.looked.model.engine,
                "precision": one.looked.model.precision,
                "imgsz": one.looked.model.imgsz,
                "network_ms": one.looked.network_ms,
                "pictures_a_second": one.rate,
                **asdict(one.precision),
            }
            for one in outcomes
        ],
    }
    if len(outcomes) == 1:
        told["ap_margin_95"] = off
    else:
        told["difference"], told["difference_margin_95"] = _difference(outcomes), off
    return told


def _titles(outcomes: Sequence[Outcome]) -> list[str]:
    """What tells the models apart, in a column's width."""
    by_name = [one.looked.model.name for one in outcomes]
    by_engine = [one.engine for one in outcomes]
    # Of runs/train/weights/best.pt and runs/train2/weights/best.pt: train and train2.
    parts = [PurePath(one.model).parts for one in outcomes]
    by_folder = [
        "/".join(part for part, *others in zip(mine, *parts, strict=False) if len({*others}) > 1)
        for mine in parts
    ]
    for names in (by_name, by_engine, by_folder):
        titles = [_cut(shown(name), TITLE) for name in names]
        if all(titles) and len(set(titles)) == len(titles):
            return titles
    return ["first", "second"]


def _overall(outcomes: Sequence[Outcome]) -> Table:
    table = _table(["", *_titles(outcomes)], different=len(outcomes) > 1)
    for title, key in zip(TITLES, FIGURES, strict=True):
        table.add_row(title, *_compared([getattr(one.precision, key) for one in outcomes]))
    return table


def _by_class(outcomes: Sequence[Outcome]) -> Table:
    """The most frequent class first."""
    if len(outcomes) == 1:
        table = _table(["class", "boxes", "AP", "AP50"])
        for one in sorted(outcomes[0].precision.classes, key=lambda one: (-one.boxes, one.name)):
            table.add_row(_cut(shown(one.name), NAME), str(one.boxes), _figure(one.ap), _figure(one.ap50))
        return table
    table = _table(["class", "boxes", *(f"AP {title}" for title in _titles(outcomes))], different=True)
    rows = zip(*(one.precision.classes for one in outcomes), strict=True)
    for both in sorted(rows, key=lambda both: (-both[0].boxes, both[0].name)):
        name, boxes = _cut(shown(both[0].name), NAME), str(both[0].boxes)
        table.add_row(name, boxes, *_compared([one.ap for one in both]))
    return table


def _chance(dataset: Dataset, outcomes: Sequence[Outcome], off: float | None) -> list[str]:
    """What the figures say of other pictures."""
    pictures = _with_boxes(dataset)
    difference = _difference(outcomes)
    if off is None:
        say = "says" if dataset.showing() == 1 else "say"
        return [f"{pictures} {say} little of others: {FEWEST} at least are wanted."]
    if len(outcomes) == 1 and not off:
        return [f"AP is {_figure(outcomes[0].precision.ap)}, whichever of the {pictures} are taken."]
    if len(outcomes) == 1:
        return [
            f"AP is {_figure(outcomes[0].precision.ap)}, give or take {off:.4f} (95 %):",
            f"so much is chance on {pictures}.",
        ]
    first, second = _titles(outcomes)
    assert difference is not None  # where something is to be found there is an AP
    if not round(difference, 4):
        within = f", give or take {off:.4f} (95 %)" if round(off, 4) else ""
        return [f"In AP {first} and {second} do not differ{within}."]
    than = "higher" if difference > 0 else "lower"
    verdict = "cannot be told from chance" if abs(difference) <= off else "is more than chance"
    return [
        f"AP of {second} is {abs(difference):.4f} {than} than that of {first},",
        f"give or take {off:.4f} (95 %):",
        f"on {pictures} this {verdict}.",
    ]


def _difference(outcomes: Sequence[Outcome]) -> float | None:
    """Of AP, the second's above the first's."""
    first, second = (one.precision.ap for one in outcomes[:2]) if len(outcomes) > 1 else (None, None)
    return None if first is None or second is None else second - first


def _table(titles: Sequence[str], *, different: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for number, title in enumerate([*titles, "difference"] if different else titles):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    return table


def _compared(values: Sequence[float | None]) -> list[str]:
    cells = [_figure(value) for value in values]
    if len(values) == 2:
        first, second = values
        cells.append("–" if first is None or second is None else f"{second - first:+z.4f}")
    return cells


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"
