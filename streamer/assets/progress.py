"""What a fetch tells whoever watches it; the fetch itself prints nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from streamer.assets.catalogue import Asset


@dataclass(frozen=True, slots=True)
class Step:
    """How far a fetch is. Called for from the fetching thread, many times a second."""

    asset: Asset
    text: str  # what is being done, one line for the user; changes seldom
    done_bytes: int | None = None  # of asset.size; None where nobody can know


Progress = Callable[[Step], object]  # what it returns is nobody's business


def unseen(_: Step) -> None:
    """Nobody watches."""
