"""What PyAV and FFmpeg raise, as a cause and one sentence that a person can use.

Exceptions of FFmpeg carry the whole address, password included. So they are read here and never
chained: raise what `explain` returns outside of the `except` block.
"""

import errno
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import av.error

from streamer.errors import Cause, SourceError
from streamer.rtsp.failures import Refused, Undescribed, Unreadable
from streamer.sources.address import Address, Kind
from streamer.sources.untold import untold

_UNREACHABLE = {
    errno.EHOSTUNREACH: "no route to it",
    errno.ENETUNREACH: "no route to its network",
    errno.EHOSTDOWN: "it is down",
    errno.ENETDOWN: "the network is down",
}
_BROKEN = (av.error.ConnectionResetError, av.error.ConnectionAbortedError, av.error.BrokenPipeError)
_UNREADABLE = (
    av.error.InvalidDataError,
    av.error.ArgumentError,
    av.error.PatchWelcomeError,
    av.error.LookupError,  # no demuxer, decoder or protocol for it
    av.error.NotImplementedError,
)
# How well-known containers begin: offset and bytes, ISO 14496-12, RIFF, Matroska (RFC 8794), FLV.
_BEGINNINGS = (
    (4, b"ftyp", "an MP4"),
    (4, b"moov", "a QuickTime"),
    (8, b"AVI ", "an AVI"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska"),
    (0, b"FLV", "an FLV"),
)


def silence(address: Address, limit_s: float) -> SourceError:
    """Nothing came for as long as we wait."""
    return SourceError(Cause.SILENCE, f"{address.redacted}: nothing came for {limit_s:g} s")


def stopped(address: Address) -> SourceError:
    """We were told to stop while connecting."""
    return SourceError(Cause.ENDED, f"{address.redacted}: stopped while connecting")


def unsendable(address: Address) -> SourceError:
    """User name or password cannot stand in a request."""
    what = "user name or password has control characters (%00 to %1F, %7F), which no request may hold"
    return SourceError(Cause.AUTH, f"{address.redacted}: {what}")


def not_by_us(error: SourceError, why: str) -> SourceError:
    """FFmpeg cannot read it either; `why` we did not is the better hint."""
    return type(error)(error.cause, f"{error} (not read by ourselves: {why})")


def no_picture(address: Address, limit_s: float, lost: int) -> SourceError:
    """Packets come, and no picture of them. `lost` packets never came."""
    what = f"data comes, but no keyframe that can be decoded for {limit_s:g} s"
    why = f" ({lost} packets were lost on the way: over transport: tcp none are)" if lost else ""
    return SourceError(Cause.SILENCE, f"{address.redacted}: {what}{why}")


def no_datagrams(address: Address, limit_s: float) -> SourceError:
    """The camera answers over TCP, and its UDP does not arrive."""
    what = f"answers, but nothing came over UDP for {limit_s:.0f} s: blocked on the way? Try transport: tcp"
    return SourceError(Cause.SILENCE, f"{address.redacted}: {what}")


def explain_rtsp(error: Refused | Undescribed | Unreadable | OSError, address: Address) -> SourceError:
    """What went wrong with a camera that we read ourselves."""
    if isinstance(error, Refused) and error.untold:
        return untold(address)
    if isinstance(error, Refused):
        cause = _CAUSES.get(error.status, Cause.NETWORK)
        text = "asks for a user name and a password (401)" if error.asked else _status(error.status)
    elif isinstance(error, Undescribed):  # a recorder whose camera is off answers so, too
        cause = Cause.NETWORK
        text = "answers, and describes no stream: is the path right, and is the camera behind it on?"
    elif isinstance(error, Unreadable):
        cause, text = Cause.NETWORK, f"cannot be understood: {error}"
    else:
        cause, text = Cause.NETWORK, _unreached(error, address)
    return SourceError(cause, f"{address.redacted}: {text}")


_CAUSES = {401: Cause.AUTH, 403: Cause.AUTH, 404: Cause.NOT_FOUND, 410: Cause.NOT_FOUND}
_STATUS = {
    400: "the camera does not understand the request (400)",
    401: "user name or password was refused (401)",
    403: "access is forbidden to this user (403)",
    404: "the camera has nothing under this path (404)",
    410: "the camera has nothing under this path any more (410)",
    453: "the camera has no bandwidth left (453): too many viewers?",
    454: "the camera has forgotten the session (454)",
    461: "the camera does not allow this transport (461): try the other one of tcp and udp",
}


def _status(status: int) -> str:
    if 300 <= status < 400:
        return f"the camera sends us elsewhere ({status}), and not where we may go: rtsp:// and rtsps:// only"
    if status >= 500:
        return f"the camera has a fault of its own ({status})"
    return _STATUS.get(status, f"the camera refused the request ({status})")


def _unreached(error: OSError, address: Address) -> str:
    if isinstance(error, socket.gaierror):
        return f"unknown host {urlsplit(address.text).hostname}"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused: does the camera serve this port?"
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return "the connection was broken off"
    if isinstance(error, ssl.SSLError):
        return (
            f"the connection cannot be encrypted ({error.reason or 'TLS'}): does the camera serve rtsps here?"
        )
    if error.errno in _UNREACHABLE:
        return _UNREACHABLE[error.errno]
    return f"the connection failed ({error.strerror or type(error).__name__})"


def explain_network(error: av.FFmpegError, address: Address) -> SourceError:
    """Why a network source failed, other than by silence."""
    text, cause = answered(error), Cause.NETWORK
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        cause = Cause.AUTH
    elif isinstance(error, av.error.HTTPNotFoundError):
        cause = Cause.NOT_FOUND
    elif isinstance(error, av.error.ExitError | av.error.TimeoutError):
        cause, text = Cause.SILENCE, "the connection timed out"
    elif isinstance(error, av.error.PermissionError) and address.kind in (Kind.HTTP, Kind.HTTPS):
        cause, text = Cause.CODEC, "answers with a playlist that leads to places that are not allowed"
    elif text is None and isinstance(error, _UNREADABLE) and address.kind in (Kind.RTSP, Kind.RTSPS):
        # A camera that restarts closes connections half-way; one without a usable codec fails elsewhere.
        text = "the connection was closed before video came, or what came is no RTSP"
    elif text is None and isinstance(error, _UNREADABLE):
        cause, text = Cause.CODEC, "answers, but not with video that can be read"
    return SourceError(cause, f"{address.redacted}: {text or _broken(error, address)}")


def answered(error: av.FFmpegError) -> str | None:
    """What a server's status means, or None where there was none."""
    answers = {
        av.error.HTTPUnauthorizedError: "user name or password was refused (401)",
        av.error.HTTPForbiddenError: "access is forbidden to this user (403)",
        av.error.HTTPNotFoundError: "the server has nothing under this path (404)",
        av.error.HTTPTooManyRequestsError: "the server wants fewer requests (429)",
        av.error.HTTPBadRequestError: "the server does not understand the request (400)",
        av.error.HTTPServerError: "the server has a fault of its own (5xx)",
        av.error.HTTPOtherClientError: "the server refused the request (4xx): does it allow this transport?",
    }
    return next((text for kind, text in answers.items() if isinstance(error, kind)), None)


def _broken(error: av.FFmpegError, address: Address) -> str:
    parts = urlsplit(address.text)
    if isinstance(error, av.error.ConnectionRefusedError):
        return "the connection was refused: does the camera serve this port?"
    if isinstance(error, _BROKEN):
        return "the connection was broken off"
    if error.errno in _UNREACHABLE:
        return _UNREACHABLE[error.errno]
    if error.errno == errno.EIO:  # FFmpeg says this for an unknown host, too
        try:
            socket.getaddrinfo(parts.hostname, None)
        except OSError:
            return f"unknown host {parts.hostname}"
        return "the connection broke off"
    return f"the connection failed ({error.strerror})"


def explain_file(error: av.FFmpegError, address: Address) -> SourceError:
    """Why a recording cannot be opened."""
    where, path = address.redacted, Path(address.text)
    if isinstance(error, av.error.PermissionError):
        return SourceError(Cause.NOT_FOUND, f"{where}: may not be read (permission denied)")
    if isinstance(error, av.error.FileNotFoundError):
        return SourceError(Cause.NOT_FOUND, f"{where}: no such file")
    if isinstance(error, _UNREADABLE):
        with path.open("rb") as file:
            beginning = file.read(16)
        for offset, magic, name in _BEGINNINGS:
            if beginning[offset:].startswith(magic):
                text = (
                    f"begins like {name} file, but cannot be read: damaged, or cut off while it was written"
                )
                return SourceError(Cause.DAMAGED, f"{where}: {text}")
        return SourceError(Cause.CODEC, f"{where}: not a video that can be read")
    return SourceError(Cause.DAMAGED, f"{where}: cannot be read ({error.strerror})")


def no_video(address: Address, found: list[str]) -> SourceError:
    """There are streams, but none with video."""
    only = f", only {', '.join(sorted(set(found)))}" if found else ""
    advice = "give another file" if address.kind.film else "look up the address of its video"
    return SourceError(Cause.CODEC, f"{address.redacted}: no video stream in it{only}", advice)


def no_decoder(address: Address) -> SourceError:
    """The video's codec cannot be decoded here."""
    what = "camera: set it to H.264 or H.265" if not address.kind.film else "file: convert it to H.264"
    return SourceError(Cause.CODEC, f"{address.redacted}: no decoder for the video of this {what}")


def too_large(address: Address, size: tuple[int, int], allowed: str) -> SourceError:
    """The pictures are larger than anything we would allocate memory for."""
    return SourceError(
        Cause.CODEC,
        f"{address.redacted}: pictures of {size[0]}x{size[1]} pixels; allowed are {allowed}",
        "make them smaller",
    )
