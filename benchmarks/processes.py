"""What /proc says of processes, and ports that are free. Linux only, but for the ports."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
LOOPBACK = "127.0.0.1"


def children(pid: int) -> Iterator[int]:
    """Those that it has itself, zombies included."""
    for listed in PROC.glob(f"{pid}/task/*/children"):
        with suppress(OSError):
            yield from map(int, listed.read_text().split())


def connected_to(pid: int, port: int) -> bool:
    """Whether it has a TCP connection (IPv4) to this port of any host."""
    lines = (PROC / str(pid) / "net" / "tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]  # sl, local, remote address:port, …, inode (proc_net_tcp)
    there = {f"socket:[{one[9]}]" for one in fields if int(one[2].partition(":")[2], 16) == port}
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):  # it may close meanwhile
            if os.readlink(descriptor) in there:  # noqa: PTH115 - "socket:[…]" is no path
                return True
    return False


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.create_server((LOOPBACK, 0)) as found:
        port: int = found.getsockname()[1]
        return port
