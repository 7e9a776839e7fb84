"""Where pictures come from.

address.py     what a user may write           names.py        a name for each camera
options.py     what may be asked of it         userinfo.py    where a password ends
redaction.py   … and that nobody sees it
rtsp.py        RTSP, read by ourselves         network.py      HTTP, and RTSP that FFmpeg must read
joining.py     its access units to pictures    damage.py       which of them lean on what was lost
web.py         what a web server answers       mjpeg.py        its JPEGs, one behind the other
tap.py         who listens to what comes       jpegs.py        where each of them ends
recording.py   video files                     pictures.py     folders and globs of pictures
film.py        … read from any time on         films.py        … one behind the other
length.py      how long they are               listing.py      what lies in a folder
synthetic.py   moving shapes with known boxes  paced.py        a recording in real time
usb/           webcams, by OpenCV
causes.py      what went wrong, in a sentence  web_causes.py  … with a web server
untold.py      a password that was kept back

PyAV and OpenCV are loaded when a source is opened that needs them.
"""

from streamer.clock import Clock, MonotonicClock
from streamer.contracts import Source
from streamer.errors import ConfigError
from streamer.sources.address import Address, Kind, parse_address
from streamer.sources.names import unique_names
from streamer.sources.options import SourceOptions
from streamer.sources.pattern import parse_pattern
from streamer.sources.redaction import nearly_an_address, redact

__all__ = [
    "Address",
    "Kind",
    "SourceOptions",
    "nearly_an_address",
    "open_source",
    "parse_address",
    "redact",
    "unique_names",
]

_AS_IT_IS = SourceOptions()


def open_source(
    address: Address, options: SourceOptions = _AS_IT_IS, *, clock: Clock | None = None
) -> Source:
    """The source for an address; it connects when it is entered.

    Raises ConfigError for what cannot be: a network camera that waits, a live one with a beginning.
    """
    options.check(address)
    clock = clock or MonotonicClock()
    if address.kind in (Kind.RTSP, Kind.RTSPS):
        from streamer.sources.rtsp import RtspSource  # noqa: PLC0415 - PyAV loads here

        return RtspSource(address, options, clock)
    if address.kind.network:
        from streamer.sources.network import NetworkSource  # noqa: PLC0415 - PyAV loads here

        return NetworkSource(address, options, clock)
    if address.kind is Kind.USB:
        from streamer.sources.usb.source import UsbSource  # noqa: PLC0415 - OpenCV and PyAV load here

        return UsbSource(address, options, clock)
    if address.live and address.kind is Kind.SYNTHETIC:
        from streamer.sources.synthetic import SyntheticCamera  # noqa: PLC0415 - OpenCV loads here

        return SyntheticCamera(parse_pattern(address.text), clock)
    recording = _open_recording(address, options, clock)
    if not options.live:
        return recording
    from streamer.sources.paced import Paced  # noqa: PLC0415 - only where it is wanted

    return Paced(recording, clock)


def _open_recording(address: Address, options: SourceOptions, clock: Clock) -> Source:
    match address.kind:
        case Kind.FILE:
            from streamer.sources.recording import Recording  # noqa: PLC0415 - PyAV loads here

            return Recording(address, options, clock)
        case Kind.FILMS:
            from streamer.sources.films import Films  # noqa: PLC0415 - PyAV loads here

            return Films(address, options, clock)
        case Kind.PICTURES:
            from streamer.sources.pictures import Pictures  # noqa: PLC0415 - OpenCV loads here

            return Pictures(address, clock)
        case Kind.SYNTHETIC:
            from streamer.sources.synthetic import SyntheticRecording  # noqa: PLC0415 - OpenCV loads here

            return SyntheticRecording(parse_pattern(address.text), clock)
    raise ConfigError(f"{address.redacted}: is no recording")
