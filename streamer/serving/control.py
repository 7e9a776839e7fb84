"""The control connection: one line a command, one line an answer, on the loopback interface only."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from streamer.errors import ConfigError

LONGEST_LINE_BYTES = 256


async def converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    obey: Callable[[str], Awaitable[None] | None],
) -> None:
    """Hand each line to `obey` until the client leaves; the answer is `ok` or the ConfigError's text.

    What takes its time is waited for before the next line. The reader's limit has to be
    LONGEST_LINE_BYTES; a longer line ends the conversation.
    """
    try:
        while line := await reader.readuntil(b"\n"):
            try:
                doing = obey(line.decode("utf-8", "replace"))
                if doing is not None:
                    await doing
                answer = "ok"
            except ConfigError as error:
                answer = f"error: {error}"
            writer.write(answer.encode() + b"\n")
            await writer.drain()
    except asyncio.LimitOverrunError:
        writer.write(f"error: a line has at most {LONGEST_LINE_BYTES} bytes\n".encode())
    except (asyncio.IncompleteReadError, OSError):
        pass  # the client has gone
    finally:
        writer.close()


def share_of(text: str) -> float:
    """A share from 0 to 1. Raises ConfigError for anything else."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ConfigError(f"{quoted(text)} is not a share: it goes from 0 to 1")
    return share


def quoted(text: str) -> str:
    """What somebody sent, short and harmless enough for an answer."""
    return repr(text[:40])
