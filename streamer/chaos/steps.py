"""A scenario's faults in order of time, and their doing."""

import bisect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamer.chaos.scenario import AT_ONCE, Fault

Tell = Callable[[int, str], None]  # a camera's number, and the words


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault as one camera had it. Monotonic ns."""

    fault: Fault
    camera: int
    told_ns: int  # just before the camera, or its way, was told
    begun_ns: int  # it had obeyed: pictures are encoded first, the rest is at once
    ended_ns: int | None  # None: it has not


class Steps:
    """Begins and ends faults when they are due. One thread."""

    def __init__(self, faults: Sequence[Fault], camera: Tell, network: Tell) -> None:
        # What ends (0) goes before what begins (1) at the same time.
        self._due = sorted((fault.at_s, 1, number) for number, fault in enumerate(faults))
        self._faults = faults
        self._tell = {False: camera, True: network}
        self._active: list[int] = []
        self._begun_ns: dict[tuple[int, int], tuple[int, int]] = {}
        self._ended_ns: dict[tuple[int, int], int] = {}

    @property
    def next_s(self) -> float | None:
        """When the next one is due, s since the beginning; None: no more."""
        return self._due[0][0] if self._due else None

    def do(self) -> None:
        """Do the next one."""
        _, begins, number = self._due.pop(0)
        fault = self._faults[number]
        if begins:
            self._active += [] if fault.word in AT_ONCE else [number]
            told_s = time.monotonic()
            for camera in fault.cameras:
                told_ns = time.monotonic_ns()
                self._tell[fault.network](camera, fault.words)
                self._begun_ns[number, camera] = told_ns, time.monotonic_ns()
            if fault.for_s is not None:  # pictures are encoded first: it lasts as long as it was to
                end_s = fault.at_s + fault.for_s + time.monotonic() - told_s
                bisect.insort(self._due, (end_s, 0, number))
            return
        self._active.remove(number)
        for camera in fault.cameras:
            self._mend(fault.network, camera)
            self._ended_ns[number, camera] = time.monotonic_ns()

    def happened(self) -> list[Happened]:
        """What was done so far."""
        found = []
        for (number, camera), (told_ns, begun_ns) in self._begun_ns.items():
            fault = self._faults[number]
            ended_ns = begun_ns if fault.word in AT_ONCE else self._ended_ns.get((number, camera))
            found.append(Happened(fault, camera, told_ns, begun_ns, ended_ns))
        return found

    def mend_all(self) -> None:
        """Put right what lasts beyond the end."""
        lasting, self._active = self._active, []
        for number in lasting:
            for camera in self._faults[number].cameras:
                self._mend(self._faults[number].network, camera)

    def _mend(self, network: bool, camera: int) -> None:
        self._tell[network](camera, "ok")
        for number in self._active:  # `ok` ends all there is, but some is to go on
            fault = self._faults[number]
            if fault.network == network and camera in fault.cameras:
                self._tell[network](camera, fault.words)
