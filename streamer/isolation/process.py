"""Starting the process that decodes, and ending it: nothing of it is left behind, whatever happened."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from streamer.isolation.channel import Channel

GRACE_S = 0.25  # for the camera to be told good-bye; then it is killed
_KILLED_S = 1.0  # one in the middle of a system call dies when that is over

# No module from the current folder, no site hooks of the environment: the parent's own list of places.
_START = (
    "import sys; sys.path += sys.argv[2:]; from streamer.isolation.child import main; main(int(sys.argv[1]))"
)
_ROOT = str(Path(__file__).parents[2])
# The rest of the environment may hold other cameras' passwords.
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_KEPT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    *_PROXIES,
    *map(str.upper, _PROXIES),
)
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Process:
    """A running child with its channel. `hang_up` and `kill` are for any thread, `end` for one."""

    def __init__(self) -> None:
        """Start it. Raises OSError where there is no room for another process or descriptor."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                places = [_ROOT, *(str(Path(place).absolute()) for place in sys.path if place)]
                self._child = subprocess.Popen(  # noqa: S603 - our own interpreter, nothing from outside
                    [sys.executable, "-I", "-B", "-c", _START, str(theirs.fileno()), *dict.fromkeys(places)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # what libraries print may hold the address
                    pass_fds=(theirs.fileno(),),
                    env={key: os.environ[key] for key in _KEPT if key in os.environ} | _ONE_THREAD,
                    start_new_session=True,  # the terminal's Ctrl-C is for the parent
                )
        except BaseException:
            ours.close()
            raise
        self.channel = Channel(ours)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def hang_up(self) -> None:
        """Ask it to end; both sides' reading ends at once."""
        self.channel.hang_up()

    def kill(self) -> None:
        """End it at once; `end` takes care of what is left."""
        self._child.kill()

    def end(self) -> int | None:
        """Have it end, by force if need be, and close everything. Its exit status: minus the signal's number.

        None for one that the system does not let die; it is reaped when it does.
        """
        self.hang_up()
        try:
            for limit_s in (GRACE_S, _KILLED_S):
                try:
                    return self._child.wait(limit_s)
                except subprocess.TimeoutExpired:
                    self._child.kill()
            return None
        finally:
            self.channel.close()
