"""Running a server: in a thread of its own for tests, or until a signal for the command line."""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from typing import Protocol, Self

COMMAND_TIMEOUT_S = 120.0  # some encode pictures first
LOOK_AGAIN_S = 0.2  # whether the server is still there


class Server(Protocol):
    """Entered, it holds its ports; `run` serves until it is cancelled."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    async def run(self) -> None: ...


class InThread:
    """Serves as long as the `with` block lasts, in a daemon thread with an event loop of its own.

    Entering returns when the server holds its ports and raises what kept it from that; leaving raises
    what ended it early.
    """

    def __init__(self, server: Server, name: str) -> None:
        self.__server = server
        self.__name = name

    def __enter__(self) -> Self:
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name=self.__name, daemon=True)
        self._thread.start()
        self._loop = self._ready.result()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # its loop is closed where it has failed already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _do(self, action: Callable[[], Awaitable[None] | None]) -> None:
        """Do this in the server's thread and wait for it; raises what it raises. Thread-safe.

        Raises what ended the server where it has ended already, or before this was done.
        """

        async def act() -> None:
            doing = action()
            if doing is not None:
                await doing

        work = act()
        try:
            done = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as closed:
            work.close()
            self._thread.join()
            raise self._error or closed from None
        late_s = time.monotonic() + COMMAND_TIMEOUT_S
        while self._thread.is_alive() and not wait([done], LOOK_AGAIN_S).done:
            if time.monotonic() > late_s:
                raise TimeoutError(f"not done within {COMMAND_TIMEOUT_S:.0f} s")
        if not done.done() or done.cancelled():
            self._thread.join()
            work.close()
            raise self._error or RuntimeError("the server ended before this was done")
        done.result()

    def _serve(self) -> None:
        try:
            with self.__server:
                asyncio.run(self._until_stopped())
        except Exception as error:
            if self._ready.done():
                self._error = error
            else:
                self._ready.set_exception(error)

    async def _until_stopped(self) -> None:
        self._stop = asyncio.Event()
        self._ready.set_result(asyncio.get_running_loop())
        await _run_until(self.__server, self._stop)


def run_until_signal(server: Server, ready: Callable[[], None]) -> None:
    """Serve with an entered server until SIGINT or SIGTERM; `ready` is called first. Main thread only."""

    async def until_signal() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        ready()
        await _run_until(server, stop)

    asyncio.run(until_signal())


async def _run_until(server: Server, stop: asyncio.Event) -> None:
    running = asyncio.create_task(server.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()  # nothing happens to it where it has ended by itself
    with contextlib.suppress(asyncio.CancelledError):
        await running
