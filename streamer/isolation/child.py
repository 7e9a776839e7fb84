"""What runs in the other process: the real source in, its pictures into slots, a message for each out."""

import os
import select
import socket
import threading
import traceback
from pathlib import Path

from streamer.contracts import Captured, Source
from streamer.errors import Cause, FreshframeError, SourceError
from streamer.isolation import messages, planes
from streamer.isolation.channel import Channel
from streamer.isolation.confinement import MEMORY_LIMIT_BYTES, confine
from streamer.isolation.messages import LONGEST_TEXT, Ended, Failed, Form, Job, Opened, Room, Shot, encode
from streamer.isolation.segment import Writing
from streamer.sources import open_source
from streamer.sources.address import Address, Kind

_GOODBYE_S = 0.2  # for leaving the source when the parent is gone


def main(descriptor: int) -> None:
    """Serve the parent at the other end of a socket until one of both has enough. Never returns."""
    try:
        confine()
        channel = Channel(socket.socket(fileno=descriptor))
        asked = channel.receive()
        if asked is not None:
            _work(messages.job(asked), channel)
    finally:
        os._exit(0)  # no library's clean-up has anything to do here that the system does not do better


def _work(job: Job, channel: Channel) -> None:
    address = Address(Kind(job.kind), job.text, job.redacted, job.name, job.live)
    gone = threading.Event()
    try:
        last = _decode(job, address, channel, gone)
    except ConnectionError:  # the parent's end is closed: there is nobody to tell
        return
    except SourceError as error:
        last = Failed(error.cause, address.redact(str(error))[:LONGEST_TEXT])
    except MemoryError:
        most = f"{MEMORY_LIMIT_BYTES >> 20} MiB"
        last = Failed(Cause.CODEC, f"{address.redacted}: to decode it takes more memory than {most}")
    except Exception as error:  # a bug, or something that a stranger found: its text may hold the address
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
        if isinstance(error, FreshframeError):
            what = address.redact(str(error))[:LONGEST_TEXT]
        last = Failed(Cause.CRASH, f"{address.redacted}: the process that decodes it failed ({what})")
    finally:
        gone.set()
    channel.send(encode(last))


def _decode(job: Job, address: Address, channel: Channel, gone: threading.Event) -> Failed | Ended:
    source = open_source(address, live=job.live, transport=job.transport)
    watch = threading.Thread(target=_watch, args=(channel.socket, source, gone), daemon=True)
    watch.start()
    with source:
        channel.send(encode(Opened()))
        outbox = _Outbox(channel)
        for captured in source:
            outbox.hand_over(captured)
    return Ended()


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


class _Outbox:
    """Hands pictures over without ever waiting for whoever reads them; only for memory it must ask."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._slots: Writing | None = None
        self._number = 0
        self._untold = 0  # pictures of which no message found room

    def hand_over(self, captured: Captured) -> None:
        """Raises OSError where the parent is gone, and what looking at the picture raises."""
        form, parts = planes.taken_apart(captured.picture)
        slots = self._room_for(planes.bytes_of(form))
        self._number += 1
        slots.write(self._number, lambda slot: planes.write(parts, form, slot))
        if self._channel.offer(encode(self._shot(captured, form))):
            self._untold = 0
        else:
            self._untold += 1 + captured.skipped

    def _shot(self, captured: Captured, form: Form) -> Shot:
        return Shot(
            self._number,
            form,
            captured.captured_ns,
            _fitting(captured.pts_ns),
            _fitting(captured.source_ns),
            captured.keyframe,
            min(captured.skipped + self._untold, 2**32 - 1),
            captured.segmented,
            captured.damaged,
        )

    def _room_for(self, picture_bytes: int) -> Writing:
        """Slots as large as the largest picture yet."""
        if self._slots is None or self._slots.picture_bytes < picture_bytes:
            self._slots = None
            self._channel.send(encode(Room(picture_bytes)))
            descriptor = self._channel.receive_descriptor()
            try:
                self._slots = Writing(descriptor, picture_bytes)
            finally:
                os.close(descriptor)
        return self._slots


def _fitting(time_ns: int | None) -> int | None:
    """Times of three hundred years and more are a camera's nonsense."""
    return time_ns if time_ns is not None and -(2**63) <= time_ns < 2**63 else None
