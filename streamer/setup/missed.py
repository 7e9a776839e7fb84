"""Which of the cameras gave no picture, and what each of them needs."""

from collections.abc import Sequence

from streamer.doctor.advice import what_to_do
from streamer.errors import Cause
from streamer.setup.offers import Taken
from streamer.setup.page import why_none


def missed(cameras: Sequence[Taken]) -> list[str]:
    """Lines that say it, none where each gave a picture."""
    silent = [one for one in cameras if not one.report.ok]
    if not silent:
        return []
    count = f"{len(silent)} of {len(cameras)} cameras gave no picture"
    lines = ["no camera gave a picture:" if len(silent) == len(cameras) else f"{count}:"]
    for one in silent:
        lines += [f"  {one.camera.name}: {why_none(one.report)}", f"    to do: {_to_do(one)}"]
    return lines


def _to_do(taken: Taken) -> str:
    failure = taken.report.failure
    cause = failure.cause if failure else Cause.SILENCE
    if cause is Cause.AUTH and taken.camera.login is None and taken.offer.form == "plain":
        return "name them: --user NAME --password-env VARIABLE, or NAME:${VARIABLE}@ in its address"
    return what_to_do(taken.report, cause)
