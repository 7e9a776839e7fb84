"""How large a picture may be, whatever a header claims: beyond it nothing is allocated."""

MAX_SIDE_PX = 16_384
MAX_PIXELS = 100_000_000
ALLOWED = f"{MAX_SIDE_PX} a side and {MAX_PIXELS // 1_000_000} million in all"


def too_large(size: tuple[int, int]) -> bool:
    """True for a width and height in pixels that are not allowed."""
    width, height = size
    return width > MAX_SIDE_PX or height > MAX_SIDE_PX or width * height > MAX_PIXELS
