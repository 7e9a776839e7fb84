"""How the test camera starts and ends, and what it says where it cannot."""

import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import av
import pytest

from streamer.errors import ConfigError, SourceError
from streamer.fakecam import FakeCam
from tests import fakecam_clips
from tests.conftest import missing
from tests.fakecam_clips import QUICK, write_clip
from tests.rtsp_client import Client

pytestmark = pytest.mark.timeout(30)
clip = fakecam_clips.clip


class TestStart:
    def test_what_cannot_be_had_is_said(self, clip: Path, tmp_path: Path) -> None:
        with FakeCam([clip]) as cam:
            with pytest.raises(ConfigError, match=f"port {cam.port} on 127.0.0.1 cannot be listened on"):
                FakeCam([clip], port=cam.port).__enter__()
            with pytest.raises(ConfigError, match="in use"):
                FakeCam([clip], control_port=cam.port).__enter__()
        with pytest.raises(ConfigError, match="70000 is not a port"):
            FakeCam([clip], port=70000).__enter__()
        with pytest.raises(ConfigError, match=r"no-such\.invalid cannot be listened on"):
            FakeCam([clip], host="no-such.invalid").__enter__()
        with pytest.raises(ConfigError, match="cannot be written"):
            FakeCam([clip], log=tmp_path).__enter__()
        with pytest.raises(ConfigError, match="at least one clip"):
            FakeCam([])
        with pytest.raises(ConfigError, match="needs a password"):
            FakeCam([clip], user="ann")
        assert threading.active_count() == 1 or "fakecam" not in {t.name for t in threading.enumerate()}

    def test_a_user_with_a_colon(self, clip: Path) -> None:
        with pytest.raises(ConfigError, match="'a:b' has a ':'"):
            FakeCam([clip], user="a:b", password="c")

    def test_what_cannot_be_had_is_said_before_clips_are_encoded(
        self, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow = write_clip(tmp_path / "slow.avi", codec="mpeg4")
        log = tmp_path / "log"
        log.write_text("of an earlier run")
        with FakeCam([clip], control_port=0) as cam:
            for words in ({"port": cam.port}, {"control_port": cam.control_port}, {"log": tmp_path}):
                with pytest.raises(ConfigError):
                    FakeCam([slow], **words).__enter__()
        with pytest.raises(SourceError, match="this is a folder"):
            FakeCam([slow, tmp_path], log=log).__enter__()
        assert log.read_text() == "of an earlier run"
        assert capsys.readouterr().err == ""

    def test_without_file_descriptors_it_says_so_once(self, clip: Path) -> None:
        program = (
            "import resource, sys; from streamer.fakecam import serve\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
            "serve([sys.argv[1]], host='127.0.0.1', port=0, user=None, password=None, log=None,"
            " control_port=None, ready=lambda url: print('ready', url, flush=True))"
        )
        clients: list[Client] = []
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(clip)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            try:
                url = process.stdout.readline().removeprefix("ready ").strip()
                for _ in range(100):
                    clients.append(Client(url))
                assert process.stderr
                first = process.stderr.readline()  # once it has met its limit
                assert clients[0].ask("OPTIONS")[0] == 200
                for client in clients[:90]:
                    client.__exit__()
                assert clients[-1].ask("OPTIONS")[0] == 200  # once there is room again
                process.terminate()
                said = process.communicate(timeout=10)[1]
            finally:
                process.kill()
                for client in clients:
                    client.__exit__()
        assert re.fullmatch(r"fakecam: clients have to wait: too many open files.*\n", first)
        assert said == ""

    def test_ipv6(self, clip: Path) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            missing("this machine has no IPv6")
        with (
            FakeCam([clip], host="::1") as cam,
            av.open(cam.urls[0], options=QUICK | {"rtsp_transport": "udp"}, timeout=(5, 5)) as container,
        ):
            assert cam.urls[0] == f"rtsp://[::1]:{cam.port}/cam0"
            assert next(container.decode(video=0)).width == 160

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_serve_ends_cleanly_on_a_signal(self, clip: Path, number: signal.Signals) -> None:
        program = (
            "import sys; from streamer.fakecam import serve\n"
            "serve([sys.argv[1]], host='127.0.0.1', port=0, user=None, password=None, log=None,"
            " control_port=0, ready=lambda url: print('ready', url, flush=True))"
        )
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(clip)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stderr
            try:
                url = process.stdout.readline().removeprefix("ready ").strip()
                with Client(url) as client:
                    client.play()
                    client.rtp()
                    process.send_signal(number)
                    assert process.wait(10) == 0
                said = process.stderr.read()
            finally:
                process.kill()
        assert re.fullmatch(r"fakecam: control on 127\.0\.0\.1:\d+\n", said)
