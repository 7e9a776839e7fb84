"""A scenario's faults in order of time, and their doing."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

from streamer.chaos.scenario import AT_ONCE, Fault
from streamer.errors import Cause, SourceError

Obeyed = Future[int]  # when, monotonic ns
Tell = Callable[[int, str], Obeyed | None]  # a camera's number, and the words; None: it was obeyed at once
ANSWERS_S = 5.0  # at the end, for what was told last: pictures change with a keyframe


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault as one camera had it. Monotonic ns."""

    fault: Fault
    camera: int
    told_ns: int  # just before the camera, or its way, was told
    begun_ns: int  # it had obeyed: pictures at their next keyframe, the rest at once
    ended_ns: int | None  # None: it has not


class Steps:
    """Begins and ends faults when they are due, and waits for nobody. One thread."""

    def __init__(self, faults: Sequence[Fault], camera: Tell, network: Tell) -> None:
        # What ends (0) goes before what begins (1) at the same time.
        begins = [(fault.at_s, 1, number) for number, fault in enumerate(faults)]
        ends = [
            (fault.at_s + fault.for_s, 0, number)
            for number, fault in enumerate(faults)
            if fault.for_s is not None
        ]
        self._due = sorted(begins + ends)
        self._faults = faults
        self._tell = {False: camera, True: network}
        self._active: list[int] = []
        self._begun: dict[tuple[int, int], tuple[int, Obeyed]] = {}
        self._ended: dict[tuple[int, int], Obeyed] = {}

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
            for camera in fault.cameras:
                told_ns = time.monotonic_ns()
                self._begun[number, camera] = told_ns, self._told(fault.network, camera, fault.words)
            return
        self._active.remove(number)
        for camera in fault.cameras:
            self._ended[number, camera] = self._mend(fault.network, camera)

    def happened(self) -> list[Happened]:
        """What was done so far. Raises SourceError where it is not done after all, and what went wrong."""
        pending = [obeyed for _, obeyed in self._begun.values()] + list(self._ended.values())
        wait(pending, ANSWERS_S)
        found = []
        for (number, camera), (told_ns, begun) in self._begun.items():
            fault = self._faults[number]
            begun_ns = _time_ns(begun, camera, fault.words)
            ended = begun if fault.word in AT_ONCE else self._ended.get((number, camera))
            ended_ns = None if ended is None else _time_ns(ended, camera, "ok")
            found.append(Happened(fault, camera, told_ns, begun_ns, ended_ns))
        return found

    def mend_all(self) -> None:
        """Put right what lasts beyond the end, and wait for that. Raises as `happened` does."""
        lasting, self._active = self._active, []
        mended = [
            (camera, self._mend(self._faults[number].network, camera))
            for number in lasting
            for camera in self._faults[number].cameras
        ]
        wait([obeyed for _, obeyed in mended], ANSWERS_S)
        for camera, obeyed in mended:
            _time_ns(obeyed, camera, "ok")

    def _mend(self, network: bool, camera: int) -> Obeyed:
        obeyed = self._told(network, camera, "ok")
        for number in self._active:  # `ok` ends all there is, but some is to go on
            fault = self._faults[number]
            if fault.network == network and camera in fault.cameras:
                obeyed = self._told(network, camera, fault.words)
        return obeyed

    def _told(self, network: bool, camera: int, words: str) -> Obeyed:
        obeyed = self._tell[network](camera, words)
        if obeyed is None:
            obeyed = Future()
            obeyed.set_result(time.monotonic_ns())
        return obeyed


def _time_ns(obeyed: Obeyed, camera: int, words: str) -> int:
    if not obeyed.done():
        raise SourceError(Cause.SILENCE, f"cam{camera} {words}: that was not in force when the run was over")
    return obeyed.result()
