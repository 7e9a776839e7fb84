"""The proxy: its port, its control connection, and the end of both."""

import asyncio
import contextlib
from typing import Any, Self

from streamer.impair.callers import Callers
from streamer.impair.commands import obey
from streamer.impair.impairment import Impairment
from streamer.impair.link import Link
from streamer.impair.senders import Senders
from streamer.impair.target import Target, shown
from streamer.serving.complaints import Complaints
from streamer.serving.control import LONGEST_LINE_BYTES, converse
from streamer.serving.listening import LOOPBACK, listening, served


class Proxy:
    """Leads clients to a server over a bad network. Entered, it holds its port; `run` serves.

    `server` is `rtsp://host:port/…`, `host:port` (the same), `tcp://host:port` or `udp://host:port`. Port 0
    takes a free one; `control_port` opens the control connection on the loopback interface. Making it
    raises ConfigError where the server's address cannot be, entering where a port cannot be had.
    """

    def __init__(
        self,
        server: str,
        impairment: Impairment,
        *,
        seed: int = 0,
        host: str = LOOPBACK,
        port: int = 0,
        control_port: int | None = None,
    ) -> None:
        self.target = Target(server)
        self.link = Link(impairment, seed)
        self._host = host
        self._complaints = Complaints("impair")
        self._clients: Senders | Callers = (
            Senders(self.target, self.link, host, port)
            if self.target.scheme == "udp"
            else Callers(self.target, self.link, host, port, self._complaints)
        )
        self._wanted_control_port = control_port
        self._open = contextlib.ExitStack()
        self._conversations: set[asyncio.Task[Any]] = set()
        self.control_port: int | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            opening.enter_context(self._clients)
            if self._wanted_control_port is not None:
                self._control = opening.enter_context(listening(LOOPBACK, self._wanted_control_port))
                self.control_port = self._control.getsockname()[1]
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def port(self) -> int:
        return self._clients.port

    @property
    def url(self) -> str:
        """Where the server is to be found now."""
        return f"{self.target.scheme}://{shown(self._host)}:{self.port}{self.target.path}"

    def be(self, impairment: Impairment) -> None:
        """Be like this from now on. With `refuse`, those who are connected are reset.

        Raises ConfigError where the port cannot be had again; nothing was done then.
        """
        self._clients.refuse(impairment.refuse)
        self.link.be(impairment)

    def reset(self) -> None:
        """Reset all connections, once."""
        self._clients.reset()

    def half_open(self) -> None:
        """Pass nothing any more on the connections that there are, and close none. New ones work."""
        self._clients.half_open()

    async def run(self) -> None:
        """Serve until cancelled."""
        asyncio.get_running_loop().set_exception_handler(self._complaints.handle)
        control = None
        if self.control_port is not None:
            control = await served(self._accept_control, self._control, LONGEST_LINE_BYTES)
        self._clients.start()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if control is not None:
                control.close()
            for task in self._conversations:
                task.cancel()
            await asyncio.gather(*self._conversations, return_exceptions=True)
            await self._clients.stop()

    def _accept_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # An own task: those that asyncio makes of coroutine callbacks complain when they are cancelled.
        work = converse(reader, writer, lambda line: obey(line, self))
        task = asyncio.get_running_loop().create_task(work)
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
