"""What the impairment proxy is told: commands, targets, its command line."""

import re
import signal
import socket

import pytest

from streamer.cli.commands import main
from streamer.errors import ConfigError
from streamer.impair import Impairment
from streamer.impair.commands import obey
from streamer.impair.link import Link
from streamer.impair.target import Target
from tests import echo_server
from tests.echo_server import Server
from tests.running import started

pytestmark = pytest.mark.timeout(20)
echo = echo_server.echo


class Proxy:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.link = Link(Impairment(), 0)
        self.events: list[str] = []

    def be(self, impairment: Impairment) -> None:
        self.link.be(impairment)

    def reset(self) -> None:
        self.events.append("reset")

    def half_open(self) -> None:
        self.events.append("half_open")


class TestCommands:
    def test_each(self) -> None:
        proxy = Proxy()
        lines = ["delay 50", "jitter 2.5", "loss 0.05", "reorder 1", "duplicate .5", "flip 1e-3", "rate 2.5M"]
        for line in [*lines, "uplink on", "blackhole", "refuse", "reset", "half_open"]:
            obey(f"  {line}\r\n", proxy)
        assert proxy.link.impairment == Impairment(
            0.05, 0.0025, 0.05, 1.0, 0.5, 0.001, 2.5e6, uplink=True, blackhole=True, refuse=True
        )
        assert proxy.events == ["reset", "half_open"]
        obey("rate max", proxy)
        assert proxy.link.impairment.rate_bps is None
        obey("ok", proxy)
        assert proxy.link.impairment == Impairment()
        for text, rate_bps in [("500k", 5e5), ("9600", 9600.0), ("1G", 1e9), ("8", 8.0)]:
            obey(f"rate {text}", proxy)
            assert proxy.link.impairment.rate_bps == rate_bps

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("", "is not a command"),
            ("slow", "'slow' is not a command"),
            ("loss", "loss takes one value"),
            ("loss 0.1 0.2", "loss takes one value"),
            ("loss 1.5", "'1.5' is not a share"),
            ("loss nan", "'nan' is not a share"),
            ("ok please", "ok takes nothing"),
            ("rate fast", "'fast' is not a rate"),
            ("rate 0", "rate 0 bps: allowed is 8"),
            ("rate M", "'M' is not a rate"),
            ("delay -1", "'-1' is not a time"),
            ("delay 1e9", "'1e9' is not a time"),
            ("delay 100000", "delay 100 s: allowed is 0 to 60 s"),
            ("uplink maybe", "neither on nor off"),
            ("\0" * 200, "is not a command"),
        ],
    )
    def test_what_is_wrong_is_said_and_nothing_done(self, line: str, text: str) -> None:
        proxy = Proxy()
        with pytest.raises(ConfigError, match=re.escape(text)):
            obey(line, proxy)
        assert proxy.link.impairment == Impairment()
        assert not proxy.events

    def test_only_the_downlink_unless_asked(self) -> None:
        link = Link(Impairment(loss=1.0), 0)
        assert [link.towards(way).loss for way in link._towards] == [1.0, 0.0]
        link.be(Impairment(loss=1.0, uplink=True))
        assert [link.towards(way).loss for way in link._towards] == [1.0, 1.0]


class TestTarget:
    def test_forms(self) -> None:
        assert Target("127.0.0.1:8554").scheme == "rtsp"
        target = Target("rtsp://u:p@127.0.0.1/cam0?x=1")
        assert (target.address[1], target.path) == (554, "/cam0?x=1")
        assert target.places == {"127.0.0.1", "127.0.0.1:554"}
        assert Target("tcp://localhost:80").address[1] == 80

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "x",
                "8554",
                "rtsp://",
                "http://127.0.0.1:80",
                "tcp://127.0.0.1",
                "a b:1",
                "127.0.0.1:99999",
            ),
            *("rtsps://u:hunter2@127.0.0.1:322", "u:hunter2@", "rtsp://u:hunter2@[x]:1"),
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ConfigError, match=r"allowed is rtsp://HOST:PORT/PATH") as info:
            Target(text)
        assert "hunter2" not in str(info.value)


class TestCommandLine:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_conversation(self, echo: Server, number: signal.Signals) -> None:
        with started("impair", echo.url, "--delay", "1", "--seed", "7", "--control", "0") as process:
            assert process.stdout
            assert process.stderr
            ready = process.stdout.readline()
            address = re.fullmatch(r"ready tcp://(127\.0\.0\.1):(\d+)\n", ready)
            assert address, process.stderr.read()
            control = re.fullmatch(r"impair: control on 127\.0\.0\.1:(\d+)\n", process.stderr.readline())
            assert control
            with (
                socket.create_connection((address[1], int(address[2])), 5) as client,
                socket.create_connection(("127.0.0.1", int(control[1])), 5) as commands,
                commands.makefile("rw") as lines,
            ):
                client.sendall(b"a")
                assert client.recv(1) == b"a"
                for line, answer in [
                    ("rate 2M", "ok"),
                    ("nonsense", "error: 'nonsense' is not a command"),
                    ("reset", "ok"),
                ]:
                    lines.write(line + "\n")
                    lines.flush()
                    assert lines.readline().startswith(answer)
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
                process.send_signal(number)
                assert process.wait(10) == 0
            assert process.stderr.read() == ""

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (["nowhere"], "no address"),
            (["tcp://127.0.0.1:1", "--loss", "2"], "--loss"),
            (["tcp://127.0.0.1:1", "--rate", "fast"], "--rate"),
            (["tcp://127.0.0.1:1", "--rate", "1"], "rate 1 bps"),
            (["tcp://127.0.0.1:1", "--delay", "90000"], "delay 90 s: allowed is 0 to 60 s"),
            (["tcp://127.0.0.1:1", "--listen", "127.0.0.1"], "--listen"),
            (["tcp://127.0.0.1:1", "--control", "99999"], "99999"),
        ],
    )
    def test_wrong_use(self, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
        try:
            status = main(["impair", *arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        assert status == 2
        assert text in capsys.readouterr().err
