"""What came of a trial, as people and as programs read it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from streamer.chaos.outcome import Outcome
from streamer.chaos.trial import Trial

WIDE = 110  # columns from which on there is room for the reasons too


def show(trial: Trial, console: Console) -> None:
    """Two tables and what is to be said about them, as wide as the console."""
    wide = console.width >= WIDE
    console.print(_cameras(trial, wide))
    if trial.outcomes:
        console.print(_faults(trial.outcomes, wide))
    for line in (*(() if wide else _reasons(trial)), *conclusions(trial)):
        console.print(line, soft_wrap=True)


def conclusions(trial: Trial) -> list[str]:
    """Whether anything lied or stayed away, and what the others saw of it."""
    lines = []
    for one in trial.cameras:
        for account, which in ((one.control, "without faults"), (one.tried, "with faults")):
            if account.lies:
                lines.append(f"{account.name}, {which}: not what it was said to be: {_counts(account.lies)}")
            if account.flags and (account is one.control or not one.faulty):
                lines.append(f"{account.name}, {which}: flagged without a fault: {_counts(account.flags)}")
    lines += [
        f"{one.camera}: {one.words} from {one.at_s:.1f} s on was never flagged"
        for one in trial.outcomes
        if one.unflagged
    ]
    lines.append("lies: none" if not trial.lies else f"lies: {trial.lies}")
    lost = [f"{name} ({_state(trial, name)})" for name in trial.lost]
    lines.append(f"did not come back: {', '.join(lost)}" if lost else "all cameras are back")
    others = [one for one in trial.cameras if not one.faulty]
    if others and trial.outcomes:
        fps = min((one.fps_ratio for one in others if one.fps_ratio is not None), default=None)
        age = max((one.age_ratio for one in others if one.age_ratio is not None), default=None)
        lines.append(
            f"cameras without faults, the worst of {len(others)}: {_ratio(fps, 3)} of the frames of the "
            f"control run, {_ratio(age)} of its age (p99)"
        )
    lines.append(f"seed {trial.scenario.seed}")
    return lines


def plain(trial: Trial) -> dict[str, Any]:
    """Everything that was measured, for JSON."""
    return {
        "passed": trial.passed,
        "seed": trial.scenario.seed,
        "for_s": trial.scenario.for_s,
        "lies": trial.lies,
        "lost": list(trial.lost),
        "cameras": [
            {
                "name": one.tried.name,
                "faulty": one.faulty,
                "fps_ratio": one.fps_ratio,
                "age_p50_ratio": one.median_age_ratio,
                "age_p99_ratio": one.age_ratio,
                "control": dataclasses.asdict(one.control),
                "tried": dataclasses.asdict(one.tried),
            }
            for one in trial.cameras
        ],
        "faults": [dataclasses.asdict(one) for one in trial.outcomes],
    }


def _cameras(trial: Trial, wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("camera", no_wrap=True)
    for name in ("fps in", "looked at", "age p50", "p99 ms", "÷ control: fps", "age p99", "lies"):
        table.add_column(name, justify="right")
    if wide:
        for name in ("reconnects", "flags", "frames lost"):
            table.add_column(name)
    for one in trial.cameras:
        tried = one.tried
        more = (_counts(tried.reconnects), _counts(tried.flags), _counts(tried.lost)) if wide else ()
        table.add_row(
            f"{tried.name} {'*' if one.faulty else ''}",
            f"{tried.captured_fps:.1f}",
            f"{tried.looked_fps:.1f}",
            _ms(tried.age_p50_ms),
            _ms(tried.age_p99_ms),
            "–" if one.faulty else _ratio(one.fps_ratio, 3),
            "–" if one.faulty else _ratio(one.age_ratio),
            str(sum(tried.lies.values()) + sum(one.control.lies.values())),
            *more,
        )
    return table


def _faults(outcomes: Sequence[Outcome], wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("at s", justify="right")
    table.add_column("camera")
    table.add_column("* fault", ratio=1)
    flagged = any(one.flagged_s for one in outcomes)
    table.add_column("noticed after s")
    if flagged:
        table.add_column("flagged after s")
    table.add_column("back after s" if wide else "back s", justify="right")
    table.add_column("without a fresh frame s" if wide else "gap s", justify="right")
    for one in outcomes:
        what = f"network {one.words}" if one.network else one.words
        table.add_row(
            f"{one.at_s:.1f}",
            one.camera,
            what if one.for_s is None else f"{what}, {one.for_s:.1f} s",
            "–" if one.noticed_s is None else f"{one.noticed_s:.2f} {one.noticed_as}",
            *(
                [", ".join(f"{after_s:.2f} {flag}" for flag, after_s in one.flagged_s.items()) or "–"]
                * flagged
            ),
            "not back" if one.lost else "–" if one.back_s is None else f"{one.back_s:.2f}",
            f"{one.gap_s:.2f}",
        )
    return table


def _reasons(trial: Trial) -> list[str]:
    """What the narrow table has no room for."""
    lines = []
    for one in trial.cameras:
        tried = one.tried
        parts = [
            f"{what} {_counts(counts)}"
            for what, counts in (
                ("reconnects:", tried.reconnects),
                ("flags:", tried.flags),
                ("lost:", tried.lost),
            )
            if counts
        ]
        if parts:
            lines.append(f"{tried.name}: {'; '.join(parts)}")
    return lines


def _state(trial: Trial, name: str) -> str:
    return next(str(one.tried.state) for one in trial.cameras if one.tried.name == name)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items()) or "–"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _ratio(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
