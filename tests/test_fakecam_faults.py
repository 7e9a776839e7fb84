"""What a test camera's faults look like to real clients: PyAV and bare sockets."""

import errno
import json
import socket
import struct
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.errors import ConfigError
from streamer.fakecam import FakeCam
from streamer.fakecam.clip import CLOCK_HZ
from streamer.fakecam.faults import Faults, Stamps
from streamer.fakecam.pace import Pace
from streamer.fakecam.recording import load
from streamer.fakecam.rtp import RtpStream, payloads
from streamer.fakecam.stamping import SHORTLY
from streamer.fakecam.tampering import HEADER_BYTES, Tampering
from tests.test_fakecam import FPS, QUICK, STEP, Client, eventually, sequence, timestamp, write_clip

pytestmark = pytest.mark.timeout(30)

TCP, UDP = QUICK | {"rtsp_transport": "tcp"}, QUICK | {"rtsp_transport": "udp"}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "plain.mp4")


@pytest.fixture(scope="session")
def heavy_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of some thirty packets each, which take any bit for noise."""
    path = tmp_path_factory.mktemp("clips") / "heavy.mp4"
    return write_clip(path, noise=True, options={"qp": "4"})


@pytest.fixture
def cam(clip: Path) -> Iterator[FakeCam]:
    with FakeCam([clip]) as cam:
        yield cam


def silent(client: Client, for_s: float = 0.3) -> bool:
    """Whether nothing comes any more; what was on its way is passed over."""
    client.socket.settimeout(for_s)
    try:
        while client.socket.recv(65536):
            pass
    except TimeoutError:
        return True
    return False


def pictures(client: Client, count: int) -> list[bytes]:
    """The last packets of so many pictures."""
    found: list[bytes] = []
    while len(found) < count:
        packet = client.rtp()
        if packet[1] & 0x80:
            found.append(packet)
    return found


class TestConnections:
    def test_mute(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as old:
            old.play()
            old.rtp()
            cam.fault(0, "mute")
            assert silent(old)
            for method in ("OPTIONS", "DESCRIBE"):
                with Client(cam.urls[0]) as new:
                    new.socket.settimeout(0.3)
                    with pytest.raises(TimeoutError):
                        new.ask(method)
            cam.fault(0, "ok")
            old.socket.settimeout(5)
            assert old.socket.recv(1) == b"$"
            with Client(cam.urls[0]) as later:
                later.play()
                assert later.rtp()[12] & 31 == 7

    def test_mute_times_a_reader_out(self, cam: FakeCam) -> None:
        cam.fault(0, "mute")
        with pytest.raises(av.error.FFmpegError):
            av.open(cam.urls[0], options=TCP, timeout=(0.5, 0.5))

    @pytest.mark.parametrize("fault", ["mute", "hang", "trickle"])
    def test_who_waits_for_a_word_stays_connected(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch, fault: str
    ) -> None:
        monkeypatch.setattr("streamer.fakecam.session.SILENCE_S", 0.4)
        with FakeCam([clip]) as cam, Client(cam.urls[0]) as client:
            client.play()
            cam.fault(0, fault)
            silent(client, 0.8)
            client.socket.setblocking(False)
            client.socket.send(b"x")  # a lower case letter is no request
            client.socket.settimeout(5)
            if fault == "hang":
                assert client.answer()[0] == 400
            cam.fault(0, "drop")

    def test_reset_is_a_reset_and_drop_is_none(self, clip: Path) -> None:
        with FakeCam([clip, clip]) as cam, Client(cam.urls[1]) as neighbour:
            neighbour.play()
            ends = []
            for fault in ("reset", "drop"):
                with Client(cam.urls[0]) as client:
                    client.play()
                    cam.fault(0, fault)
                    with pytest.raises((ConnectionError, AssertionError)) as info:
                        client.rtp_until_it_ends()
                    ends.append(getattr(info.value, "errno", None))
                with Client(cam.urls[0]) as again:
                    again.play()
                    again.rtp()
            assert ends == [errno.ECONNRESET, None]
            pictures(neighbour, 5)

    def test_deny(self, clip: Path) -> None:
        with FakeCam([clip, clip]) as cam, Client(cam.urls[0]) as old:
            old.play()
            cam.fault(0, "deny")
            with pytest.raises(ConnectionError):
                old.rtp_until_it_ends()
            with Client(cam.urls[0]) as new:
                for method in ("OPTIONS", "DESCRIBE", "SETUP", "RECORD"):
                    status, headers, _ = new.ask(method, Authorization="Basic YTpi")
                    assert (status, "Digest" in headers["WWW-Authenticate"]) == (401, True)
            with pytest.raises(av.error.HTTPUnauthorizedError):
                av.open(cam.urls[0].replace("//", "//ann:x@"), options=TCP, timeout=(5, 5))
            with Client(cam.urls[1]) as neighbour:
                assert neighbour.ask("DESCRIBE")[0] == 200
            cam.fault(0, "ok")
            with Client(cam.urls[0]) as new:
                assert new.ask("DESCRIBE")[0] == 200

    def test_deny_knows_no_right_password(self, clip: Path) -> None:
        with FakeCam([clip], user="ann", password="s3cret") as cam:
            url = cam.urls[0].replace("//", "//ann:s3cret@")
            cam.fault(0, "deny")
            with pytest.raises(av.error.HTTPUnauthorizedError):
                av.open(url, options=TCP, timeout=(5, 5))
            cam.fault(0, "ok")
            with av.open(url, options=TCP, timeout=(5, 5)) as container:
                next(container.decode(video=0))

    def test_trickle(self, cam: FakeCam, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("streamer.fakecam.outlet.TRICKLE_S", 0.05)
        with Client(cam.urls[0]) as old, Client(cam.urls[0]) as new:
            old.play()
            old.rtp()
            cam.fault(0, "trickle")
            new.socket.sendall(b"OPTIONS " + cam.urls[0].encode() + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            times = []
            for _ in range(12):
                assert len(new.socket.recv(100)) < 3  # 1, or more where this process was late
                times.append(time.monotonic())
            assert times[-1] - times[0] > 0.4
            backlog_bytes = [client.backlog_bytes() for client in cam._server.cameras[0]._audience.clients]
            assert backlog_bytes[0] <= cam._server.cameras[0].clip.half_second_bytes * 2
            cam.fault(0, "ok")
            new.socket.settimeout(1)
            rest = b""
            while not rest.endswith(b"\r\n\r\n"):
                rest += new.socket.recv(100)
            assert b"Public: OPTIONS" in rest
            before = old.rtp()
            for _ in range(20):  # what waited comes whole, and then all is well
                before, packet = old.rtp(), before
                assert packet[:2] in (b"\x80\x60", b"\x80\xe0")

    def test_who_asks_on_and_on_under_trickle_costs_no_memory(
        self, cam: FakeCam, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streamer.fakecam.outlet.MOST_WAITING_BYTES", 1000)
        cam.fault(0, "trickle")
        with Client(cam.urls[0]) as client:
            request = b"OPTIONS " + cam.urls[0].encode() + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n"
            client.socket.sendall(request * 300)
            eventually(lambda: bool(cam._server._connections))
            (connection,) = cam._server._connections
            eventually(lambda: connection._outlet.backlog_bytes() > 800)
            client.socket.sendall(request * 300)
            assert connection._outlet.backlog_bytes() <= 1000

    @pytest.mark.parametrize("fault", ["mute", "hang", "deny", "garbage", "trickle"])
    def test_udp_gets_no_picture(self, cam: FakeCam, fault: str) -> None:
        with Client(cam.urls[0]) as client, socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            udp.settimeout(5)
            port = udp.getsockname()[1]
            client.ask("SETUP", Transport=f"RTP/AVP;unicast;client_port={port}-{port + 1}")
            assert client.ask("PLAY")[0] == 200
            assert udp.recv(2048)[0] == 0x80
            cam.fault(0, fault)
            udp.setblocking(False)
            eventually(lambda: not pending(udp))
            if fault == "garbage":
                udp.settimeout(5)
                assert len({udp.recv(2048)[:2] for _ in range(10)}) > 5
            else:
                udp.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    udp.recv(2048)


def pending(udp: socket.socket) -> bool:
    try:
        udp.recv(2048)
    except BlockingIOError:
        return False
    return True


class TestPackets:
    def test_garbage(self, heavy_clip: Path) -> None:
        with FakeCam([heavy_clip], seed=3) as cam, Client(cam.urls[0]) as client:
            client.play()
            nals = [nal for unit in load(heavy_clip).units for nal in unit.nals]
            sizes = {HEADER_BYTES + len(part) for nal in nals for part in payloads(nal)}
            cam.fault(0, "garbage")
            junk = [client.rtp() for _ in range(400)][200:]
            assert {len(packet) for packet in junk} <= sizes
            assert len({packet[:1] for packet in junk}) > 50
            assert np.frombuffer(b"".join(junk), np.uint8).mean() == pytest.approx(127.5, abs=2)
            cam.fault(0, "ok")
            eventually(lambda: client.rtp()[0] == 0x80)

    @pytest.mark.parametrize("options", [TCP, UDP], ids=["tcp", "udp"])
    def test_garbage_is_no_picture_to_pyav(self, cam: FakeCam, options: dict[str, str]) -> None:
        with av.open(cam.urls[0], options=options, timeout=(5, 1)) as container:
            next(container.decode(video=0))
            cam.fault(0, "garbage")
            seen = 0
            try:
                for _ in container.decode(video=0):
                    seen += 1
            except av.error.FFmpegError:
                pass
        assert seen < 15

    def test_damage(self, heavy_clip: Path) -> None:
        with FakeCam([heavy_clip]) as cam, Client(cam.urls[0]) as one:
            one.play()
            one.rtp()
            cam.fault(0, "damage", 0.2)
            packets = [one.rtp() for _ in range(500)][100:]
            assert all((sequence(b) - sequence(a)) % 65536 == 1 for a, b in pairwise(packets))
            assert {packet[0] for packet in packets} == {0x80}

    def test_each_seed_has_its_own_luck_and_faults_do_not_mix(self) -> None:
        packets = [bytes(HEADER_BYTES) + bytes([number] * 9) for number in range(200)]

        def fate(seed: str, loss: float = 0, damage: float = 0) -> list[bytes]:
            return Tampering(Faults(loss=loss, damage=damage), seed).rtp(packets)

        assert fate("7/0", loss=0.1, damage=0.1) == fate("7/0", loss=0.1, damage=0.1)
        assert fate("7/0", loss=0.1) != fate("8/0", loss=0.1)
        assert set(fate("7/0", loss=0.2)) < set(fate("7/0", loss=0.1))
        damaged = fate("7/0", damage=0.2)
        wrong = [(was, now) for was, now in zip(packets, damaged, strict=True) if was != now]
        assert len(wrong) == pytest.approx(40, abs=15)
        assert all(was[:HEADER_BYTES] == now[:HEADER_BYTES] for was, now in wrong)
        assert all(len(was) == len(now) for was, now in wrong)
        both = fate("7/0", loss=0.1, damage=0.2)
        assert [packet[HEADER_BYTES] for packet in both if packet in packets] == [
            packet[HEADER_BYTES] for packet in fate("7/0", loss=0.1) if packet in damaged
        ]

    @pytest.mark.parametrize(("fault", "said"), [(None, "X-UNKNOWN"), ("h265", "H265")])
    def test_codec(self, cam: FakeCam, fault: str | None, said: str) -> None:
        with Client(cam.urls[0]) as old:
            old.play()
            cam.fault(0, "codec", fault)
            with pytest.raises(ConnectionError):
                old.rtp_until_it_ends()
        with Client(cam.urls[0]) as new:
            sdp = new.ask("DESCRIBE")[2]
            assert f"a=rtpmap:96 {said}/90000\r\n" in sdp
            assert "H264" not in sdp
            assert "fmtp" not in sdp
            new.play()
            assert new.rtp()[12] & 31 == 7  # and still sends what it always sent
        with av.open(cam.urls[0], options=TCP, timeout=(5, 1)) as container:
            context = container.streams.video[0].codec_context if container.streams.video else None
            assert (context.name if context else None) in ({None} if fault is None else {"hevc"})
        cam.fault(0, "ok")
        with Client(cam.urls[0]) as new:
            assert "H264/90000" in new.ask("DESCRIBE")[2]


class TestTimes:
    def test_frozen(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as client:
            client.play()
            pictures(client, 2)
            cam.fault(0, "stamps", "frozen")
            pictures(client, 5)
            packets = pictures(client, 5)
            assert len({timestamp(packet) for packet in packets}) == 1
            cam.fault(0, "ok")
            pictures(client, 3)
            a, b = pictures(client, 2)
            assert (timestamp(b) - timestamp(a)) % 2**32 == STEP
            assert (timestamp(a) - timestamp(packets[0])) % 2**32 >= 5 * STEP  # true again

    def test_backward(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as client:
            client.play()
            cam.fault(0, "stamps", "backward")
            pictures(client, 3)
            packets = pictures(client, 5)
            assert [(timestamp(a) - timestamp(b)) % 2**32 for a, b in pairwise(packets)] == [STEP] * 4
            assert all((sequence(b) - sequence(a)) % 65536 < 6 for a, b in pairwise(packets))

    def test_wrap_for_who_joins_is_no_jump(self, cam: FakeCam) -> None:
        cam.fault(0, "stamps", "wrap")
        for _ in range(2):  # and for the next one once more
            with Client(cam.urls[0]) as client:
                info = client.play()["RTP-Info"]
                said = int(info.partition("rtptime=")[2])
                packets = [client.rtp()]
                begun = time.monotonic()
                while timestamp(packets[-1]) > 2**31 or sequence(packets[-1]) > 2**15:
                    packets.append(client.rtp())
                assert 0.5 < time.monotonic() - begun < 2.5
                assert sequence(packets[0]) == 2**16 - SHORTLY
                assert 0 <= timestamp(packets[0]) - said <= CLOCK_HZ
                steps = {(timestamp(b) - timestamp(a)) % 2**32 for a, b in pairwise(packets)}
                assert steps == {0, STEP}
                assert {(sequence(b) - sequence(a)) % 65536 for a, b in pairwise(packets)} == {1}
            eventually(lambda: not cam._server.cameras[0]._audience.clients)

    def test_wrap_goes_unnoticed_by_pyav(self, cam: FakeCam) -> None:
        cam.fault(0, "stamps", "wrap")
        with av.open(cam.urls[0], options=TCP, timeout=(5, 5)) as container:
            times = []
            for packet in container.demux(video=0):
                times.append(packet.pts or 0)
                if len(times) == 2 * FPS:
                    break
        assert {b - a for a, b in pairwise(times[1:])} == {STEP}

    def test_wrap_while_somebody_watches_is_a_jump_and_a_report_tells_of_it(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as client:
            client.play()
            before = pictures(client, 3)[-1]
            cam.fault(0, "stamps", "wrap")
            reports = []
            while True:
                channel, packet = client.packet()
                if channel == 1:
                    reports.append(packet)
                    continue
                if (sequence(packet) - sequence(before)) % 65536 != 1:
                    break
                before = packet
            assert sequence(packet) == 2**16 - SHORTLY
            assert timestamp(packet) > 2**32 - 2 * CLOCK_HZ
            lag = timestamp(packet) - int.from_bytes(reports[-1][16:20], "big")
            assert abs(lag) < CLOCK_HZ

    def test_drift_is_of_all_that_the_camera_counts(self) -> None:
        now_ns = 0
        pace = Pace(lambda: now_ns, lambda: 10**18 + now_ns)
        now_ns = 10**9
        pace.drift(500)
        now_ns += 10**9
        assert pace.ticks() == CLOCK_HZ + CLOCK_HZ * 1.0005
        assert pace.unix_ns() == 10**18 + now_ns + 500_000
        assert pace.until_s(pace.ticks() + CLOCK_HZ) == pytest.approx(1 / 1.0005, abs=1e-5)
        pace.drift(-100_000)
        assert pace.unix_ns() == 10**18 + now_ns + 500_000  # no step
        now_ns += 10**9
        assert pace.ticks() == round(CLOCK_HZ * 2.9005)
        pace.drift(0)
        assert pace.ticks() == round(CLOCK_HZ * 2.9005)
        assert pace.unix_ns() == 10**18 + now_ns  # somebody has set its clock

    def test_drift_in_packets_and_reports(self, cam: FakeCam) -> None:
        cam.fault(0, "drift", 100_000)
        with Client(cam.urls[0]) as client:
            client.play()
            first, begun = pictures(client, 1)[0], time.monotonic()
            last = pictures(client, 44)[-1]
            took_s = time.monotonic() - begun
            assert timestamp(last) - timestamp(first) & 0xFFFFFFFF == 44 * STEP
            assert took_s == pytest.approx(44 / FPS / 1.1, abs=0.09)
            cam.fault(0, "drift", -100_000)
            reports = []
            for _ in range(2):
                while (got := client.packet())[0] == 0:
                    pass
                reports.append(struct.unpack("!III", got[1][8:20]))
                cam.fault(0, "drift", -99_999.9 - len(reports) * 0.01)
        wall_s = [seconds + fraction / 2**32 for seconds, fraction, _ in reports]
        assert wall_s[1] - wall_s[0] == pytest.approx((reports[1][2] - reports[0][2]) / CLOCK_HZ, abs=0.002)

    def test_flood(self, clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        with FakeCam([clip], log=log) as cam, Client(cam.urls[0]) as client:
            client.play()
            pictures(client, 2)
            cam.fault(0, "flood")
            pictures(client, 100)
            packets = pictures(client, 400)
            cam.fault(0, "ok")
        took_s = ((timestamp(packets[-1]) - timestamp(packets[0])) % 2**32) / CLOCK_HZ
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        sent_ns = [entry["sent_mono_ns"] for entry in entries if entry.get("fault") == "flood"]
        real_s = (sent_ns[-1] - sent_ns[-400]) / 1e9
        assert took_s == pytest.approx(0.4, abs=0.25)
        assert real_s == pytest.approx(took_s, abs=0.25)  # time stamps are real time


class TestEveryFault:
    def test_one_camera_s_fault_is_no_other_s(self, clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        faults: list[tuple[str, str | float | None]] = [
            ("mute", None), ("hang", None), ("reset", None), ("refuse", None), ("deny", None),
            ("trickle", None), ("garbage", None), ("codec", None), ("flood", None), ("damage", 0.5),
            ("stamps", "backward"), ("dark", None),
        ]  # fmt: skip
        with FakeCam([clip, clip], log=log) as cam, Client(cam.urls[1]) as neighbour:
            neighbour.play()
            first = neighbour.rtp()
            for name, value in faults:
                cam.fault(0, name, value)
                with Client(cam.urls[0]) as victim:
                    victim.socket.settimeout(0.1)
                    try:
                        victim.play()
                        victim.rtp()
                    except (OSError, AssertionError):
                        pass  # which it is depends on the fault
                cam.fault(0, "ok")
            eventually(lambda: (timestamp(neighbour.rtp()) - timestamp(first)) % 2**32 > FPS * STEP)
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        mine = [entry for entry in entries if entry["camera"] == 1]
        assert [entry["frame"] for entry in mine] == list(range(len(mine)))
        assert all("fault" not in entry for entry in mine)
        gaps_s = np.diff([entry["sent_mono_ns"] for entry in mine]) / 1e9
        assert np.percentile(gaps_s, 95) < 1.5 / FPS
        assert max(gaps_s) < 0.4

    def test_the_log_says_what_was_wrong_and_nothing_that_was_not_sent(
        self, cam: FakeCam, clip: Path, tmp_path: Path
    ) -> None:
        log = tmp_path / "log.jsonl"
        with FakeCam([clip], log=log) as cam:
            camera = cam._server.cameras[0]
            for name in ("mute", "hang", "refuse", "deny", "trickle", "garbage"):
                cam.fault(0, name)
                lines = len(log.read_text().splitlines())
                until = camera._ticks + 4 * STEP
                while camera._ticks < until:
                    time.sleep(0.01)
                assert len(log.read_text().splitlines()) <= lines + 1, name
                cam.fault(0, "ok")
            cam.fault(0, "loss", 0.1)
            cam.fault(0, "stamps", "frozen")
            eventually(lambda: '"fault":"stamps frozen, loss 0.1"}' in log.read_text())

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("cam0 stamps", "stamps takes one of frozen, backward, wrap after it, not ''"),
            ("cam0 stamps up", "'up' is none of frozen, backward, wrap"),
            ("cam0 codec vp9", "'vp9' is none of h265"),
            ("cam0 codec h265 x", "codec takes h265 or nothing after it, not 'h265 x'"),
            ("cam0 drift", "drift takes one number, in ppm after it, not ''"),
            ("cam0 drift 100001", "'100001' is no drift: it goes from -100000 to 100000 (ppm)"),
            ("cam0 drift nan", "'nan' is no drift"),
            ("cam0 damage -1", "'-1' is not a share"),
            ("cam0 size", "size takes a width and height as 640x480 after it, not ''"),
            ("cam0 size 641x480", "'641x480' is no size: it is written 640x480, with even numbers from 32"),
            ("cam0 size 99999x2", "'99999x2' is no size"),
            ("cam0 size 640", "'640' is no size"),
            ("cam0 dark 1", "dark takes nothing after it, not '1'"),
        ],
    )
    def test_wrong_words(self, cam: FakeCam, line: str, said: str) -> None:
        name, word, *rest = line.split()
        assert name == "cam0"
        with pytest.raises(ConfigError) as info:
            cam.fault(0, word, " ".join(rest) or None)
        assert str(info.value).startswith(said)
        assert cam._server.cameras[0].faults == Faults()

    def test_ok_ends_all(self, cam: FakeCam) -> None:
        every: list[tuple[str, str | float | None]] = [
            ("mute", None), ("hang", None), ("refuse", None), ("deny", None), ("trickle", None),
            ("garbage", None), ("flood", None), ("codec", "h265"), ("stamps", "backward"),
            ("drift", 5), ("loss", 0.5), ("damage", 0.5),
        ]  # fmt: skip
        for name, value in every:
            cam.fault(0, name, value)
        assert str(cam._server.cameras[0].faults) == (
            "mute, hang, refuse, deny, trickle, garbage, flood, codec H265, stamps backward, drift 5.0, "
            "loss 0.5, damage 0.5"
        )
        cam.fault(0, "ok")
        with av.open(cam.urls[0], options=UDP, timeout=(5, 5)) as container:
            assert next(container.decode(video=0)).width == 160


def test_backward_stamps_go_on_from_frozen_ones() -> None:
    stream = RtpStream("cam0")
    start = stream.timestamp(0)
    stream.stamping.be(Stamps.FROZEN, 10 * STEP)
    assert stream.timestamp(20 * STEP) == stream.timestamp(12 * STEP) == (start + 10 * STEP) % 2**32
    stream.stamping.be(Stamps.BACKWARD, 20 * STEP)
    assert stream.timestamp(21 * STEP) == (start + 9 * STEP) % 2**32
    stream.stamping.be(None, 21 * STEP)
    assert (stream.timestamp(23 * STEP) - stream.timestamp(22 * STEP)) % 2**32 == STEP
