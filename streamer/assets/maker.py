"""Fetch an asset from its maker's own address, going on where an earlier try broke off."""

import http.client
import queue
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamer.assets.cache import NotServed, adopt, place, saving, writing
from streamer.assets.catalogue import Asset

CONNECT_S = 3.0
READ_S = 30.0
CHUNK = 1 << 16


def part_of(asset: Asset) -> Path:
    """Where an unfinished download waits to be gone on with."""
    path = place(asset)
    return path.with_name(f"{path.name}.part")


def from_maker(asset: Asset, advance: Callable[[int], None]) -> Path:
    """Download the asset, call `advance` with the bytes that are there, and return its path.

    Connecting takes at most three seconds; proxies are taken from the environment. Hold the
    asset's folder (`claimed`) meanwhile. Raises NotServed; AssetError where the cache cannot be
    written.
    """
    part = part_of(asset)
    with writing(part):
        have = part.stat().st_size if part.exists() else 0
        if have > asset.size:
            part.unlink()
            have = 0
    if have < asset.size:
        headers = {"User-Agent": "freshframe"} | ({"Range": f"bytes={have}-"} if have else {})
        request = urllib.request.Request(asset.address, headers=headers)  # noqa: S310  # _opener knows http(s) only
        try:
            with _opener().open(request) as response:
                _save(asset, response, part, have, advance)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                with writing(part):
                    part.unlink(missing_ok=True)
            raise NotServed(
                f"answered {error.code} {http.client.responses.get(error.code, '')}".strip()
            ) from error
        except urllib.error.URLError as error:
            cause = error.reason.strerror if isinstance(error.reason, OSError) else None
            raise NotServed(f"cannot be reached: {cause or error.reason}") from error
        except OSError as error:
            raise NotServed(f"broke off: {error.strerror or error}") from error
        except (http.client.HTTPException, ValueError) as error:
            # Not its text: that may quote a proxy's address, and with it a password.
            raise NotServed(f"gave no usable answer ({type(error).__name__})") from error
    return adopt(asset, part)


def _save(asset: Asset, response: Any, part: Path, have: int, advance: Callable[[int], None]) -> None:
    """Append what comes to `part`, or begin anew where the server does not resume."""
    if response.status == http.client.PARTIAL_CONTENT:
        given = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", given)
        if match is None or int(match[1]) != have:
            raise NotServed(f"was asked for bytes {have}-, answered with {given!r}")
    else:
        have = 0
    if response.length not in (None, asset.size - have):
        raise NotServed(f"offers {response.length} bytes where {asset.size - have} are expected")
    with saving(part, "ab" if have else "wb") as write:
        while have <= asset.size:
            advance(have)
            chunk = response.read(min(CHUNK, asset.size + 1 - have))
            if not chunk:
                break
            write(chunk)
            have += len(chunk)
    if have > asset.size:
        with writing(part):
            part.unlink()
        raise NotServed(f"sent more than the expected {asset.size} bytes; thrown away")
    if have < asset.size:
        raise NotServed(f"broke off after {have} of {asset.size} bytes")


def _opener() -> urllib.request.OpenerDirector:
    """Only what is needed: the standard one would follow a redirection to ftp as well."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HTTP(),
        _HTTPS(),
    ):
        opener.add_handler(handler)
    return opener


def _promptly(connect: Callable[[], None]) -> None:
    """Run `connect`, for CONNECT_S at most. Raises what it raises, or TimeoutError.

    In a thread of its own, because a resolver has no time limit and every address of a host gets
    the socket's limit anew.
    """
    outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def attempt() -> None:
        try:
            connect()
        except Exception as error:
            outcome.put(error)
        else:
            outcome.put(None)

    threading.Thread(target=attempt, name="connect", daemon=True).start()
    try:
        error = outcome.get(timeout=CONNECT_S)
    except queue.Empty:
        raise TimeoutError(f"no connection within {CONNECT_S:g} s") from None
    if error is not None:
        raise error


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.timeout = CONNECT_S
        _promptly(super().connect)
        self.sock.settimeout(READ_S)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        self.timeout = CONNECT_S
        _promptly(super().connect)
        self.sock.settimeout(READ_S)


class _HTTP(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Plain, request)


class _HTTPS(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Secure, request)
