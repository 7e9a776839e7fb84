"""The control connection: one line a command, one line an answer, on the loopback interface only."""

import asyncio
from collections.abc import Sequence

from streamer.errors import ConfigError
from streamer.fakecam.faults import Faulty, obey

LONGEST_LINE_BYTES = 256


async def converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cameras: Sequence[Faulty]
) -> None:
    """Obey lines such as `cam0 hang` until the client leaves; each is answered `ok` or `error: …`.

    The reader's limit has to be LONGEST_LINE_BYTES; a longer line ends the conversation.
    """
    try:
        while line := await reader.readuntil(b"\n"):
            try:
                obey(line.decode("utf-8", "replace"), cameras)
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
