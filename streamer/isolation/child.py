"""What runs in the other process: the real source in, what it yields out, again and again."""

import contextlib
import logging
import os
import select
import socket
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path

from streamer.camera import arenas
from streamer.contracts import Source
from streamer.errors import Cause, FreshframeError, SourceError
from streamer.isolation import messages
from streamer.isolation.channel import Channel
from streamer.isolation.confinement import MEMORY_LIMIT_BYTES, confine
from streamer.isolation.messages import LONGEST_TEXT, Ended, Failed, Job, Noted, Opened, encode
from streamer.isolation.outbox import Outbox
from streamer.sources import open_source
from streamer.sources.address import Address, Kind

_GOODBYE_S = 0.2  # for leaving the source when the parent is gone


def main(descriptor: int) -> None:
    """Serve the parent at the other end of a socket until one of both has enough. Never returns."""
    try:
        confine()
        import_module("streamer.sources.rtsp")  # what most cameras need: a spare has it before it is asked
        channel = Channel(socket.socket(fileno=descriptor))
        asked = channel.receive()
        if asked is not None:
            _work(messages.job(asked), channel)
    finally:
        os._exit(0)  # no library's clean-up has anything to do here that the system does not do better


def _work(job: Job, channel: Channel) -> None:
    """Enter the source each time that is asked for; it remembers what it learned of its camera."""
    address = Address(Kind(job.kind), job.text, job.redacted, job.name, job.live, job.environment)
    log, telling = logging.getLogger("freshframe"), _Telling(channel, address)
    log.addHandler(telling)
    log.setLevel(logging.INFO)  # whether it is shown is the parent's to say
    gone = threading.Event()
    source: Source | None = None
    try:
        while channel.receive() is not None:
            try:
                if source is None:
                    source = open_source(address, job.options)
                    threading.Thread(target=_watch, args=(channel.socket, source, gone), daemon=True).start()
                last: Failed | Ended = _decode(source, channel, job)
            except ConnectionError:  # the parent's end is closed: there is nobody to tell
                return
            except Exception as error:
                last = _told(error, address)
                if isinstance(
                    error, MemoryError
                ):  # what it holds it may hold for good: another process begins with none
                    channel.send(encode(last))
                    return
            channel.send(encode(last))
            arenas.trim(time.monotonic_ns())
    finally:
        gone.set()
        log.removeHandler(telling)


def _told(error: Exception, address: Address) -> Failed:
    if isinstance(error, SourceError):
        return Failed(error.cause, address.redact(str(error))[:LONGEST_TEXT])
    if isinstance(error, MemoryError):
        most = f"{MEMORY_LIMIT_BYTES >> 20} MiB"
        return Failed(Cause.CODEC, f"{address.redacted}: to decode it takes more memory than {most}")
    # A bug, or something that a stranger found: its text may hold the address.
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
    if isinstance(error, FreshframeError):
        what = address.redact(str(error))[:LONGEST_TEXT]
    return Failed(Cause.CRASH, f"{address.redacted}: the process that decodes it failed ({what})")


def _decode(source: Source, channel: Channel, job: Job) -> Ended:
    """One connection."""
    with source:
        sparse = bool(getattr(source, "sparse", job.options.decode == "key"))
        channel.send(encode(Opened(sparse)))
        outbox = Outbox(channel)
        try:
            for captured in source:
                outbox.hand_over(captured)
        finally:
            outbox.finish()
    return Ended()


class _Telling(logging.Handler):
    """Has the parent log what is logged here, without waiting for it."""

    def __init__(self, channel: Channel, address: Address) -> None:
        super().__init__()
        self._channel = channel
        self._address = address

    def emit(self, record: logging.LogRecord) -> None:
        text = self._address.redact(record.getMessage())[:LONGEST_TEXT]
        level = min(max(record.levelno, logging.DEBUG), logging.CRITICAL)
        with contextlib.suppress(OSError):  # the parent is gone
            self._channel.offer(encode(Noted(level, text)))


def _watch(end: socket.socket, source: Source, gone: threading.Event) -> None:
    """End the process when the parent has ended or hung up, also while the source waits for the camera."""
    poll = select.poll()
    poll.register(end, 0)  # being hung up is told without asking for it
    while not any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll()):
        continue
    stop = getattr(source, "stop", None)
    if stop is not None:
        stop()
    gone.wait(_GOODBYE_S)
    os._exit(0)
