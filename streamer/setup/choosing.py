"""Which of a camera's streams is for detection."""

from collections.abc import Sequence

from streamer.setup.offers import Offer

NETWORK_PX = 640  # the longer side of what the network looks at
LARGE_PX = 3 * NETWORK_PX // 2  # a smaller one would save a lot
LOWEST_FPS = 5.0
READ_BY_US = ("h264", "hevc")


def ranked(offers: Sequence[Offer]) -> list[Offer]:
    """The best one first: the smallest that is large enough, in H.264 or H.265, at 5 fps or more.

    Where none is, the rate counts before the codec, and that before the size: of too small ones the
    largest. What is not known is taken to be good.
    """

    def rank(offer: Offer) -> tuple[bool, bool, bool, int]:
        longer, area = (max(offer.size), offer.size[0] * offer.size[1]) if offer.size else (NETWORK_PX, 0)
        small = longer < NETWORK_PX
        return not fast(offer), not _read_by_us(offer), small, -area if small else area

    return sorted(offers, key=rank)


def suits(offer: Offer) -> bool:
    """Nothing better could be wished for."""
    return fast(offer) and _read_by_us(offer) and (offer.size is None or max(offer.size) >= NETWORK_PX)


def fast(offer: Offer) -> bool:
    """At a rate that detection can do something with."""
    return offer.fps is None or offer.fps >= LOWEST_FPS


def reason(taken: Offer, offers: Sequence[Offer]) -> str:
    """Why that one, in a sentence or two."""
    if taken.size is None:
        return "Nothing is known of its size."
    longer = max(taken.size)
    if longer < NETWORK_PX:
        why = f"Smaller than the {NETWORK_PX} pixels that the network looks at: small things may be missed."
    elif any(_area(other) > _area(taken) for other in offers):
        why = (
            f"The smallest that has the {NETWORK_PX} pixels that the network looks at: more only costs time."
        )
    elif longer > LARGE_PX:
        why = (
            f"Larger than the {NETWORK_PX} pixels that the network looks at: if the camera has a "
            "smaller second stream, take that."
        )
    else:
        why = f"The network looks at {NETWORK_PX} pixels of it."
    if not fast(taken):
        why += f" At {taken.fps:.3g} fps fast things may be missed: raise the camera's rate."
    return why


def _area(offer: Offer) -> int:
    return offer.size[0] * offer.size[1] if offer.size else 0


def _read_by_us(offer: Offer) -> bool:
    return offer.codec is None or offer.codec in READ_BY_US
