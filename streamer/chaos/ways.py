"""Several impairment proxies in one process: `python -m streamer.chaos.ways SEED URL…`.

Prints `ready URL` for each; then takes lines such as `0 rate 500k` on stdin, for the way number 0, and
answers `ok` or `error: …`. Ends when stdin does, so that nobody outlives whoever started it.
"""

import asyncio
import contextlib
import sys

from streamer.errors import ConfigError
from streamer.impair import Impairment, Proxy
from streamer.impair.commands import obey


async def _serve(proxies: list[Proxy]) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running = [loop.create_task(proxy.run()) for proxy in proxies]
    for proxy in proxies:
        _say(f"ready {proxy.url}")
    while line := await reader.readline():
        number, _, words = line.decode().partition(" ")
        try:
            obey(words, proxies[int(number)])
        except ConfigError as error:
            _say(f"error: {error}")
        else:
            _say("ok")
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    seed, urls = int(sys.argv[1]), sys.argv[2:]
    with contextlib.ExitStack() as opened:
        # Each has luck of its own.
        proxies = [
            opened.enter_context(Proxy(url, Impairment(), seed=seed + way)) for way, url in enumerate(urls)
        ]
        asyncio.run(_serve(proxies))


if __name__ == "__main__":
    main()
