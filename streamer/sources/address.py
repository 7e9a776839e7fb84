"""Addresses of sources: what a user may write for SOURCE, and nothing else.

Light on purpose: configuration checks read addresses without opening anything.
"""

import glob
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from streamer.errors import ConfigError
from streamer.sources.listing import PICTURE_SUFFIXES, holds_films
from streamer.sources.pattern import parse_pattern
from streamer.sources.redaction import (
    HIDDEN,
    hide,
    nearly_an_address,
    redact,
    redact_parameters,
    secret_parameters,
    written_forms,
)
from streamer.sources.userinfo import TO_ENCODE, ends_unclearly, scheme_forgotten

__all__ = ["ALLOWED", "PICTURE_SUFFIXES", "Address", "Kind", "camera_name", "parse_address"]

ALLOWED = (
    "rtsp://, rtsps://, http://, https://, a file, a folder or glob of pictures or video files, "
    "usb:N, /dev/video…, synthetic:"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_DEVICE = re.compile(r"/dev/(video[0-9]+|v4l/by-(?:id|path)/[^/]+)")


class Kind(StrEnum):
    """What an address leads to."""

    RTSP = "rtsp"
    RTSPS = "rtsps"
    HTTP = "http"
    HTTPS = "https"
    FILE = "file"
    PICTURES = "pictures"
    FILMS = "films"
    USB = "usb"
    SYNTHETIC = "synthetic"

    @property
    def network(self) -> bool:
        """True for what is reached over the network."""
        return self in (Kind.RTSP, Kind.RTSPS, Kind.HTTP, Kind.HTTPS)

    @property
    def film(self) -> bool:
        """True for video files, one or several."""
        return self in (Kind.FILE, Kind.FILMS)

    @property
    def local(self) -> bool:
        """True for what lies on a disk."""
        return self.film or self is Kind.PICTURES


@dataclass(frozen=True, slots=True)
class Address:
    """Where a source is. Show `redacted`, never `text`: only that may hold a password."""

    kind: Kind
    text: str = field(repr=False)  # the URL, the absolute path or pattern, or the parameters
    redacted: str
    name: str  # for a camera without a name of its own
    live: bool  # unless the user says otherwise
    environment: tuple[str, ...] = field(default=(), repr=False)  # what of path and query came from there

    def redact(self, text: str) -> str:
        """Hide this address' credentials in a text, in every form in which they may be written."""
        secrets: list[str] = []
        if self.kind.network:
            parts = urlsplit(self.text)
            if parts.password:
                secrets += written_forms(parts.username or "", parts.password)
                secrets.append(f"{parts.username or ''}:{parts.password}")
            values = secret_parameters(self.text)
            secrets += [value for value in (*values, *map(unquote, values)) if len(value) > 3]
            if self.environment:
                text = text.replace(_behind(parts), hide(_behind(parts), self.environment))
        return redact(hide(text, secrets))


def parse_address(text: str, folder: Path | None = None, environment: Collection[str] = ()) -> Address:
    """Read a SOURCE; relative paths count from `folder`, or the working directory.

    environment: values in it that came from there, which are not shown in the address of a camera.
    Raises ConfigError for anything that is not in the list of what is allowed.
    """
    if not text:
        raise ConfigError(f"a source is empty; allowed: {ALLOWED}")
    if not text.isprintable():
        raise ConfigError(f"a source has control characters in it: {nearly_an_address(ascii(text)[1:-1])}")
    if _DEVICE.fullmatch(text):
        return Address(Kind.USB, text, text, camera_name(text.rsplit("/", 1)[1]), live=True)
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else ""
    rest = text[len(scheme) + 1 :]
    if scheme in ("rtsp", "rtsps", "http", "https"):
        return _network(Kind(scheme), rest, environment)
    if scheme == "usb":
        if not re.fullmatch(r"[0-9]{1,3}", rest):
            raise ConfigError(f"usb:{rest}: allowed is usb: and the camera's number, as in usb:0")
        return Address(Kind.USB, rest, f"usb:{int(rest)}", f"usb{int(rest)}", live=True)
    if scheme == "synthetic":
        return Address(Kind.SYNTHETIC, rest, text, "synthetic", live=parse_pattern(rest).count is None)
    folder = (folder or Path()).absolute()
    path = folder / text
    shown = nearly_an_address(text)
    try:
        if path.exists():
            return _local(text, path, folder)
        if not (scheme and rest.startswith("//")) and scheme_forgotten(text):
            raise ConfigError(
                f"{shown}: is no address, nor a file that there is; did you mean rtsp://{shown}?"
            )
        if not scheme:
            return _local(text, path, folder)
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise ConfigError(f"{shown[:80]}: {(error.strerror or 'cannot be looked at').lower()}") from error
    raise ConfigError(
        f"{shown}: {scheme}: is not allowed; allowed: {ALLOWED} (if it is a file: ./{scheme}:…)"
    )


def _network(kind: Kind, rest: str, environment: Collection[str]) -> Address:
    # Until it has been taken apart nobody knows where a password ends, so these errors show nothing of it.
    if any(letter.isspace() or letter in '\\"<>^`{|}' for letter in rest):
        raise ConfigError(f'{kind}://…: spaces and any of \\ " < > ^ ` {{ | }} must be percent-encoded')
    if rest.startswith("//") and ends_unclearly(rest[2:]):
        raise ConfigError(
            f"{kind}://…: it cannot be told where the password ends: there is an @ behind what would be the "
            f"host. In a user name or password {TO_ENCODE}; and in the path an @ is %40"
        )
    try:
        parts = urlsplit(f"{kind}:{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not rest.startswith("//") or not host or port == 0 or not re.fullmatch(r"[\w.:%-]+", host):
        raise ConfigError(
            f"{kind}://…: this is no address; allowed is {kind}://HOST/PATH or {kind}://HOST:PORT/PATH, with "
            f"USER:PASSWORD@ before HOST where needed; in them {TO_ENCODE}"
        )
    told = tuple(value for value in environment if value and value in _behind(parts))
    shown = parts._replace(path=hide(parts.path, told), query=hide(parts.query, told))
    return Address(kind, parts.geturl(), _shown(shown), camera_name(host), live=True, environment=told)


def _behind(parts: SplitResult) -> str:
    """What stands behind the host."""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _shown(parts: SplitResult) -> str:
    userinfo, at, place = parts.netloc.rpartition("@")
    shown = parts._replace(netloc=f"{HIDDEN}@{place}" if userinfo or at else place, fragment="").geturl()
    shown = redact_parameters(shown)
    return hide(shown, written_forms(parts.username or "", parts.password)) if parts.password else shown


def _local(text: str, path: Path, folder: Path) -> Address:
    pattern = any(letter in text for letter in "*?[") and not path.exists()
    if pattern:
        path = Path(glob.escape(str(folder))) / text
    if pattern or path.is_dir() or text.endswith("/") or path.suffix.lower() in PICTURE_SUFFIXES:
        name = path.parent.name if pattern else path.stem if path.suffix and path.is_file() else path.name
        kind = Kind.FILMS if holds_films(path) else Kind.PICTURES
        return Address(kind, str(path), text, camera_name(name), live=False)
    return Address(Kind.FILE, str(path), text, camera_name(path.stem), live=False)


def camera_name(text: str) -> str:
    """Reduce a text to [A-Za-z0-9_-], at most 64 of them."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:64] or "camera"
