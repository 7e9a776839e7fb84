"""A connection that is given up and ends because of that: what is said is why it was given up."""

import threading

import pytest
from boxes import until
from taps import RenewableTap, Tap, Watched

from streamer import Cause, SourceError, State

pytestmark = pytest.mark.timeout(30)


STOPPED = SourceError(Cause.ENDED, "gate: was stopped")
DIED = SourceError(Cause.CRASH, "gate: it died")


@pytest.mark.parametrize(
    ("end", "cause"), [(None, Cause.SILENCE), (STOPPED, Cause.SILENCE), (DIED, Cause.CRASH)]
)
def test_one_that_is_let_go_and_ends_slowly(end: SourceError | None, cause: Cause) -> None:
    """It was silent; only what it says of itself, and is no answer to being let go, stands."""
    closing, go_on = threading.Event(), threading.Event()

    class Woken(RenewableTap):
        """Its renewal ends the connection that there is, as that of a process does."""

        def renew(self) -> Tap:
            assert self.line is not None
            self.line.items.put(end)
            assert closing.wait(10)
            return RenewableTap(self.site)

        def __exit__(self, *exc: object) -> None:
            closing.set()
            assert go_on.wait(10)
            super().__exit__(*exc)

    with Watched(Woken) as gate:
        gate.film(1)
        gate.clock.pass_s(10.2)
        assert closing.wait(10)
        go_on.set()
        until(lambda: bool(gate.camera.reconnects))
        gate.heard()
        assert gate.camera.reconnects == {cause: 1}
        if cause is Cause.CRASH:
            return
        assert gate.camera.status.why == "nothing came for 10 s"
        assert gate.camera.given_up == 0
        gate.clock.pass_s(0.5)
        until(lambda: len(gate.site.lines) == 2)
        gate.film(1)
        assert gate.stands(State.LIVE)
