"""Which stream is for detection, how a secret stays out of the file, and what the file says."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streamer.cli.questions import Unattended
from streamer.config import read
from streamer.config.environment import fill_in
from streamer.doctor.report import Report
from streamer.errors import Cause, ConfigError, SourceError
from streamer.onvif import Login
from streamer.setup import candidates
from streamer.setup.asking import Asking, Names
from streamer.setup.candidates import Networked, Plugged, Typed, named
from streamer.setup.choosing import ranked, reason, suits
from streamer.setup.credentials import Variables, taken_apart, told_secret, with_login
from streamer.setup.offers import Camera, Offer, Taken
from streamer.setup.page import page, steps
from streamer.setup.trying import MOST_TRIES, try_camera
from streamer.setup.writing import write
from streamer.sources import usb
from streamer.sources.address import Address, parse_address
from streamer.sources.names import unique_names

URL = "rtsp://192.0.2.10:554/s{}"


def offer(
    number: int, size: tuple[int, int] | None, codec: str | None = "h264", fps: float | None = 15
) -> Offer:
    url = URL.format(number)
    return Offer(url, parse_address(url), name=f"p{number}", codec=codec, size=size, fps=fps)


FOUR_K, HD, VGA, CIF = (3840, 2160), (1280, 720), (640, 480), (352, 288)


class TestChoosing:
    @pytest.mark.parametrize(
        ("offers", "best"),
        [
            (
                [offer(0, FOUR_K), offer(1, HD), offer(2, VGA), offer(3, CIF)],
                2,
            ),  # the smallest that is enough
            ([offer(0, FOUR_K), offer(1, CIF)], 0),  # too small is worse than too large
            ([offer(0, CIF), offer(1, (160, 120))], 0),  # of too small ones the largest
            ([offer(0, (480, 640)), offer(1, HD)], 0),  # upright: the longer side counts
            ([offer(0, HD), offer(1, VGA, fps=4.9)], 0),  # too slow
            ([offer(0, HD), offer(1, VGA, codec="mjpeg")], 0),  # not H.264 or H.265
            ([offer(0, HD), offer(1, VGA, codec="hevc")], 1),
            ([offer(0, HD, fps=1), offer(1, VGA, codec="mjpeg")], 1),  # the rate counts before the codec
            ([offer(0, HD), offer(1, VGA, fps=None)], 1),  # what is not told is taken to be good
        ],
    )
    def test_the_smallest_that_is_enough(self, offers: list[Offer], best: int) -> None:
        for order in (offers, offers[::-1]):
            assert ranked(order)[0] == offers[best]

    def test_why_is_said(self) -> None:
        both = [offer(0, FOUR_K), offer(1, VGA)]
        assert reason(both[1], both).startswith("The smallest that has the 640 pixels")
        assert reason(both[0], both[:1]).startswith("Larger than the 640 pixels")
        assert reason(offer(0, CIF), []).startswith("Smaller than the 640 pixels")
        assert "At 3 fps fast things may be missed" in reason(offer(0, VGA, fps=3), [])


def report(address: Address, size: tuple[int, int], fps: float = 15, codec: str = "h264") -> Report:
    return Report(address, codec=codec, size=size, measured_fps=fps, pictures=30)


def broken(cause: Cause) -> Callable[[Address], Report]:
    return lambda address: Report(address, failure=SourceError(cause, "no"))


class TestTrying:
    def test_what_comes_counts_not_what_was_told(self) -> None:
        camera = Camera("gate", "", (offer(0, HD), offer(1, VGA)))
        sent = {URL.format(0): HD, URL.format(1): CIF}
        taken = try_camera(camera, lambda address: report(address, sent[address.text]))
        assert taken.offer.size == HD
        assert taken.offer.text == URL.format(0)

    def test_one_that_does_not_come_is_passed_over(self) -> None:
        camera = Camera("gate", "", (offer(0, HD), offer(1, VGA)))

        def probing(address: Address) -> Report:
            there = address.text == URL.format(0)
            return report(address, HD) if there else broken(Cause.SILENCE)(address)

        assert try_camera(camera, probing).offer.text == URL.format(0)

    def test_a_refused_password_is_not_tried_again_with_the_next(self) -> None:
        asked: list[str] = []

        def probing(address: Address) -> Report:
            asked.append(address.text)
            return broken(Cause.AUTH)(address)

        taken = try_camera(Camera("gate", "", (offer(0, HD), offer(1, VGA))), probing)
        assert asked == [URL.format(1)]
        assert not taken.report.ok

    def test_no_more_than_three_are_tried(self) -> None:
        asked: list[str] = []

        def probing(address: Address) -> Report:
            asked.append(address.text)
            return report(address, CIF)

        try_camera(Camera("gate", "", tuple(offer(i, VGA) for i in range(9))), probing)
        assert len(asked) == MOST_TRIES

    def test_the_substream_of_a_large_one_that_was_named(self) -> None:
        talk = Unattended()
        talk.attended = True
        named_one = named("rtsp://192.0.2.10/Streaming/Channels/101")
        (camera,) = Asking(talk).cameras(named_one)
        main, sub = (one.text for one in camera.offers)
        assert sub == "rtsp://192.0.2.10/Streaming/Channels/102"

        def probing(address: Address) -> Report:
            if address.text == sub and not there:
                return broken(Cause.NOT_FOUND)(address)
            return report(address, VGA if address.text == sub else FOUR_K)

        there = True
        assert try_camera(camera, probing).offer.text == sub
        there = False
        taken = try_camera(camera, probing)
        assert [one.text for one in taken.camera.offers] == [taken.offer.text] == [main]
        (only,) = Asking(Unattended()).cameras(named_one)
        assert [one.text for one in only.offers] == [main]  # by flags it is what was asked for

    def test_good_is_good_enough(self) -> None:
        assert suits(offer(0, HD))
        assert not suits(offer(0, CIF))


PASSWORDS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp", "Cf", "Cn", "Co"]), min_size=1
)


def taken_back(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """What a test sets there is gone after it."""
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


class TestCredentials:
    @given(user=PASSWORDS, password=PASSWORDS)
    def test_what_is_written_comes_to_what_was_tried(self, user: str, password: str) -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            taken_back(monkeypatch, "CAMERAS_PASSWORD")
            login = Login(user, password)
            url = "rtsp://192.0.2.10:554/a?b=$c&d=$${x}".replace("{", "").replace("}", "")
            tried = with_login(url, login)
            variables = Variables()
            written = variables.written(Offer(url, parse_address(url)), login, "gate")
            filled = fill_in(written)
            assert filled.problems == []
            assert taken_apart(filled.tree) == taken_apart(tried) == (url, login)
            assert [one.name for one in variables.needed] == ["CAMERAS_PASSWORD"]

    def test_a_password_is_kept_as_it_is_unless_that_would_be_read_otherwise(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken_back(monkeypatch, "CAMERAS_PASSWORD", "YARD_PASSWORD")
        variables = Variables()
        for camera, password in (("gate", "p@ss/1"), ("yard", "50%41")):
            variables.written(offer(0, None), Login("u", password), camera)
        assert [(one.name, one.encoded) for one in variables.needed] == [
            ("CAMERAS_PASSWORD", False),
            ("YARD_PASSWORD", True),
        ]
        assert (os.environ["CAMERAS_PASSWORD"], os.environ["YARD_PASSWORD"]) == ("p@ss/1", "50%2541")
        what, first, _, second, *_ = steps(variables, "c.yaml")
        assert what == "# the cameras' password: it waits for you to type it"
        assert first == "IFS= read -rs CAMERAS_PASSWORD && export CAMERAS_PASSWORD"
        assert second.startswith("export YARD_PASSWORD=$(python3 -c ")

    def test_a_variable_that_holds_it_percent_encoded_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CAMERAS_PASSWORD", "p%40ss")
        variables = Variables()
        written = variables.written(offer(0, None), Login("u", "p@ss"), "gate")
        assert written.startswith("rtsp://u:${CAMERAS_PASSWORD}@")
        assert os.environ["CAMERAS_PASSWORD"] == "p%40ss"

    def test_each_password_has_a_variable_and_one_that_is_shared_has_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken_back(monkeypatch, "CAMERAS_PASSWORD", "YARD_2_PASSWORD", "CAMERA_7_PASSWORD")
        variables = Variables()
        one, other, third = (Login("u", text) for text in ("a", "b", "c"))
        names = [("gate", one), ("door", one), ("yard-2", other), ("7", third)]
        written = [variables.written(offer(0, None), login, name) for name, login in names]
        assert [text.partition("@")[0] for text in written] == [
            "rtsp://u:${CAMERAS_PASSWORD}",
            "rtsp://u:${CAMERAS_PASSWORD}",
            "rtsp://u:${YARD_2_PASSWORD}",
            "rtsp://u:${CAMERA_7_PASSWORD}",
        ]

    def test_a_variable_of_the_users_own_is_not_given_another_value(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken_back(monkeypatch, "CAMERAS_PASSWORD_2")
        monkeypatch.setenv("CAMERAS_PASSWORD", "mine")
        variables = Variables("CAMERAS_PASSWORD")
        written = [
            variables.written(offer(0, None), login, "gate")
            for login in (Login("u", "other"), variables.given("admin"))
        ]
        assert [text.partition("@")[0] for text in written] == [
            "rtsp://u:${CAMERAS_PASSWORD_2}",
            "rtsp://admin:${CAMERAS_PASSWORD}",
        ]
        assert os.environ["CAMERAS_PASSWORD"] == "mine"

    @pytest.mark.parametrize(
        ("url", "secret"),
        [
            ("rtsp://h/a?sessiontimeout=60&streamtype=unicast", False),
            ("rtsp://h/cam/realmonitor?channel=1&subtype=1&unicast=true&proto=Onvif", False),
            ("rtsp://h/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp", True),
            ("rtsp://h/a?token=abc", True),
            ("rtsp://h/hunter2/a", True),
        ],
    )
    def test_a_secret_that_a_camera_tells_is_seen(self, url: str, secret: bool) -> None:
        assert told_secret(url, Login("admin", "hunter2")) is secret


class TestNaming:
    def test_names_are_unique_whatever_they_were(self) -> None:
        names = Names()
        assert [names.unique(text) for text in ("Front door", "Front  door", "…", "\x1b[2J", "x" * 99)] == [
            "Front-door",
            "Front-door-2",
            "camera",
            "2J",
            "x" * 64,
        ]
        assert names.unique("x" * 99) == "x" * 62 + "-2"

    def test_addresses_are_named_as_detect_names_them(self) -> None:
        found = [named(f"rtsp://192.0.2.1/{path}") for path in ("a", "b/c", "a")]
        asking = Asking(Unattended())
        asking.expect(found)
        made = [camera.name for one in found for camera in asking.cameras(one)]
        assert made == unique_names([one.address for one in found if isinstance(one, Typed)])

    @pytest.mark.parametrize(
        "text", ["192.0.2.10", "192.0.2.10:8080", "gate.local", "[fd00::1]:80", "localhost"]
    )
    def test_only_a_host_is_a_camera_to_be_asked(self, text: str) -> None:
        assert isinstance(named(text), Networked)

    @pytest.mark.parametrize("text", ["usb:0", "rtsp://192.0.2.10/a", "synthetic:", "/dev/video3"])
    def test_anything_else_is_a_source(self, text: str) -> None:
        assert isinstance(named(text), Typed)

    @pytest.mark.parametrize(
        "text",
        ["rtsp://u:${PW}@h/", "rtsp://u@h/${PW}", "http://h/?user=u&password=${PW}", "http://h/${PW}?n=1"],
    )
    def test_a_variable_and_no_password_is_a_source(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PW", "x")
        assert isinstance(named(text), Typed)

    @pytest.mark.parametrize("text", ["holiday.mp4", "no-such-folder", "", "a b", "ftp://x", "x.yaml"])
    def test_what_is_neither_is_a_mistake(self, text: str) -> None:
        with pytest.raises(ConfigError):
            named(text)

    def test_usb_cameras_by_the_name_that_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        by_id = "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_12345678-video-index0"
        there = [
            usb.Camera(0, Path("/dev/video0"), "HD Pro Webcam C920", (by_id, "/dev/v4l/by-path/x"), None),
            usb.Camera(2, Path("/dev/video2"), "Nameless", (), None),
        ]
        monkeypatch.setattr(candidates, "cameras", lambda: there)
        found = candidates.find(Unattended(), [])
        asking = Asking(Unattended())
        made = [camera for one in found for camera in asking.cameras(one)]
        assert [(camera.name, camera.offers[0].text) for camera in made] == [
            ("HD-Pro-Webcam-C920", by_id),
            ("Nameless", "/dev/video2"),
        ]

    def test_twins_by_the_port_they_are_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system leads the link that they share to either of them."""
        shared = "/dev/v4l/by-id/usb-Cheap_Webcam-video-index0"
        by_path = [f"/dev/v4l/by-path/pci-usb-0:{port}:1.0-video-index0" for port in (1, 2)]
        there = [
            usb.Camera(0, Path("/dev/video0"), "Cheap", (shared, by_path[0]), usb.Identity("k", "", "1-1")),
            usb.Camera(2, Path("/dev/video2"), "Cheap", (by_path[1],), usb.Identity("k", "", "1-2")),
        ]
        monkeypatch.setattr(candidates, "cameras", lambda: there)
        assert [one.path for one in candidates.find(Unattended(), []) if isinstance(one, Plugged)] == by_path


def taken(camera: Camera, size: tuple[int, int] = VGA) -> Taken:
    first = camera.offers[0]
    return Taken(camera, first, report(first.address, size), "Because.")


class TestPage:
    def test_it_is_read_as_it_was_meant(self, tmp_path: Path) -> None:
        text = page(
            [taken(Camera("no", "x", (offer(0, VGA),)))],
            ("no", "car # 1", "a, b"),
            ["jsonl"],
            Variables(),
            "c",
        )
        tree = yaml.safe_load(text)
        assert tree["model"]["classes"] == ["no", "car # 1", "a, b"]
        assert list(tree["cameras"]) == ["no"]
        (tmp_path / "c.yaml").write_text(text)
        assert list(read(tmp_path / "c.yaml").config.cameras) == ["no"]

    @given(st.text(), st.text())
    def test_what_a_camera_calls_itself_stays_in_the_comment(self, about: str, name: str) -> None:
        url = URL.format(0)
        offers = (Offer(url, parse_address(url), name=name), offer(1, VGA))
        text = page([taken(Camera("gate", about, offers))], None, ["jsonl"], Variables(), "c.yaml")
        assert yaml.safe_load(text)["cameras"] == {"gate": {"source": url}}

    @pytest.mark.parametrize("sink", ["window", "jsonl", "zmq", "video"])
    def test_every_sink_is_one(self, sink: str, tmp_path: Path) -> None:
        file = tmp_path / "c.yaml"
        text = page([taken(Camera("gate", "x", (offer(0, VGA),)))], None, [sink], Variables(), "c.yaml")
        write(file, text, lambda _: None, force=False)
        assert [one.use for one in read(file).config.sinks] == [sink]
        (tmp_path / "other").touch()
        assert file.stat().st_mode == (tmp_path / "other").stat().st_mode

    def test_what_cannot_be_read_is_not_put_there(self, tmp_path: Path) -> None:
        file = tmp_path / "c.yaml"
        file.write_text("mine")
        with pytest.raises(ConfigError) as caught:
            write(file, "cameras: {}\n", lambda _: None, force=True)
        assert str(file) in str(caught.value)

        def no(_: object) -> None:
            raise ConfigError("no")

        with pytest.raises(ConfigError, match="no"):
            write(file, "cameras: {a: {source: 'synthetic:'}}\n", no, force=True)
        assert file.read_text() == "mine"
        assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]
