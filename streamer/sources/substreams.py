"""Does an address look like a camera's main stream, and what would its substream be?

By the paths that makers document for RTSP; a path says nothing for certain, and most say nothing at all.
"""

import re
from collections.abc import Callable

_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def _rule(pattern: str, instead: str) -> _Rule:
    return re.compile(pattern, re.IGNORECASE), lambda match: match.expand(instead)


# What follows the host, each with what to write instead.
_RULES: tuple[_Rule, ...] = (
    # Hikvision and its many other names: channel 1, stream 01; older ones say it in words.
    _rule(r"(/Streaming/Channels/\d{1,3})01(?!\d)", r"\g<1>02"),
    _rule(r"(/h26[45]/ch\d{1,3})/main(?=/)", r"\1/sub"),
    # Dahua, Amcrest, Lorex: where subtype is left out it is 0.
    _rule(r"(/cam/realmonitor\?(?:[^#]*&)?subtype=)0(?!\d)", r"\g<1>1"),
    _rule(r"(/cam/realmonitor\?(?![^#]*subtype=)[^#]*)$", r"\1&subtype=1"),
    # TP-Link (Tapo, Vigi), Hikvision's cheaper ones.
    _rule(r"(/stream)1(?!\w)", r"\g<1>2"),
    # Reolink.
    _rule(r"(/(?:h26[45])?Preview_\d{2}_)main(?!\w)", r"\1sub"),
    # Uniview.
    _rule(r"(/unicast/c\d{1,3}/s)0(?=/live)", r"\g<1>1"),
    # Foscam.
    _rule(r"(/video)Main(?!\w)", r"\1Sub"),
    # Axis: as large as the sensor, where neither a resolution is asked for nor a profile that may say one.
    _rule(r"(/axis-media/media\.amp)$", r"\1?resolution=1280x720"),
    _rule(r"(/axis-media/media\.amp\?)(?![^#]*(?:resolution|profile)=)([^#]*)$", r"\1resolution=1280x720&\2"),
)


def substream(address: str) -> str | None:
    """The address of the substream, where this one looks like a main stream; else None."""
    scheme, separator, rest = address.partition("://")
    if scheme.lower() not in ("rtsp", "rtsps") or not separator:
        return None
    # A password may hold anything but a slash.
    host, slash, path = rest.partition("/")
    for pattern, instead in _RULES:
        changed = pattern.sub(instead, slash + path, count=1)
        if changed != slash + path:
            return f"{scheme}://{host}{changed}"
    return None
