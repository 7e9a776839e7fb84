"""A camera that would have to be told the password itself, and was only found: nobody named it."""

from urllib.parse import urlsplit

from streamer.errors import Cause, SourceError
from streamer.sources.address import Address


class Untold(SourceError):
    """The password was kept back: another one, or another try, changes nothing."""


def untold(address: Address, *, ffmpeg: bool = False) -> Untold:
    """It asks for Basic, or only `ffmpeg` can read it, which answers that."""
    why = "can be read by FFmpeg only, which tells it to whom asks" if ffmpeg else "asks for it"
    return Untold(
        Cause.AUTH,
        f"{address.redacted}: the password itself is not told to a camera that was only found, and this one "
        f"{why} (Basic); if it is yours, name it by --source, with USER:${{PASSWORD}}@ in its address",
    )


def has_login(address: Address) -> bool:
    """Whether there is something to tell."""
    return urlsplit(address.text).username is not None
