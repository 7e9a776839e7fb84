"""Which USB camera it is, also after it was unplugged, and why one cannot be read."""

import errno
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from usb_cameras import Desk, StandIn, jpeg
from usb_reading import AS_IT_IS, absent, failure, read, usb

from streamer.clock import MonotonicClock
from streamer.errors import Cause
from streamer.sources import parse_address
from streamer.sources.usb import cameras, driver, source
from streamer.sources.usb.capture import OpenCv
from streamer.sources.usb.driver import Capability
from streamer.sources.usb.source import UsbSource
from streamer.sources.usb.v4l2 import V4l2

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# ---- which camera


def test_a_camera_is_found_again_under_another_number(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.plug(0, "Mine", serial="A1")
    one = usb(desk, [jpeg()])
    caplog.set_level(logging.INFO, "freshframe")
    assert len(read(one)) == 1
    desk.unplug(0)
    error = failure(one)
    assert error.cause is Cause.DEVICE
    assert str(error) == "usb:0: Mine is unplugged; it is looked for under every number"
    desk.plug(0, "Another", port="1-3", serial="B2")
    error = failure(one)
    assert error.cause is Cause.DEVICE
    assert str(error) == (
        "usb:0: Mine is unplugged; it is looked for under every number. video0 is another camera now "
        "(Another), and is not taken for it"
    )
    desk.plug(3, "Mine", port="2-1", serial="A1")
    with one.renew() as again:
        assert caplog.messages[-1].startswith(f"usb:0 (Mine, {desk.dev}/video3): ")
        assert again.renew().live


def test_a_camera_without_a_serial_number_is_known_by_its_port(desk: Desk) -> None:
    desk.plug(0, port="1-1")
    desk.plug(2, port="1-2")
    one = usb(desk, [jpeg()])
    read(one)
    desk.unplug(0)
    absent(one)  # its twin is not taken for it
    desk.plug(4, port="1-5")
    absent(one)  # nor is one that may be anybody
    desk.plug(5, port="1-1")
    with one:
        pass


def test_the_only_one_of_its_kind_is_known_at_any_port(desk: Desk) -> None:
    desk.plug(0, port="1-1")
    desk.plug(1, port="1-1x", product="0001")
    one = usb(desk, [jpeg()])
    read(one)
    desk.unplug(0)
    desk.plug(0, port="1-7", index=1, modes=())  # its metadata
    absent(one)
    desk.plug(6, port="1-8")
    with one:
        pass


def test_a_serial_number_that_many_have_tells_nothing(desk: Desk) -> None:
    desk.plug(0, port="1-1", serial="200901010001")
    desk.plug(2, port="1-2", serial="200901010001")
    one = usb(desk, [jpeg()])
    read(one)
    desk.unplug(0)
    absent(one)


def test_a_link_leads_to_whatever_it_leads_to(desk: Desk) -> None:
    desk.plug(0, "Mine")
    desk.link("usb-Mine-video-index0", 0)
    one = usb(desk, [jpeg()], address="/dev/v4l/by-id/usb-Mine-video-index0")
    read(one)
    desk.unplug(0)
    error = failure(one)
    assert (error.cause, str(error)) == (
        Cause.DEVICE,
        "/dev/v4l/by-id/usb-Mine-video-index0: Mine is unplugged",
    )
    (desk.dev / "v4l/by-id/usb-Mine-video-index0").unlink()
    desk.plug(1, "Mine")
    desk.link("usb-Mine-video-index0", 1)
    with one:
        pass


def test_a_link_that_leads_to_its_twin_is_not_believed(desk: Desk) -> None:
    """Cameras without a serial number share a link, and udev leads it to one that is there."""
    desk.plug(0, port="1-1")
    desk.plug(2, port="1-2")
    desk.link("usb-Twin-video-index0", 0)
    desk.link("pci-usb-0:1:1.0-video-index0", 0, "by-path")
    by_id = usb(desk, [jpeg()], address="/dev/v4l/by-id/usb-Twin-video-index0")
    by_path = usb(desk, [jpeg()], address="/dev/v4l/by-path/pci-usb-0:1:1.0-video-index0")
    read(by_id)
    read(by_path)
    desk.unplug(0)
    (desk.dev / "v4l/by-id/usb-Twin-video-index0").unlink()
    desk.link("usb-Twin-video-index0", 2)
    error = failure(by_id)
    assert error.cause is Cause.DEVICE
    assert "usb-Twin-video-index0 is another camera now (A webcam), and is not taken for it" in str(error)
    desk.plug(3, "Another", port="1-1", product="0001")
    (desk.dev / "v4l/by-path/pci-usb-0:1:1.0-video-index0").unlink()
    desk.link("pci-usb-0:1:1.0-video-index0", 3, "by-path")
    with by_path:  # whoever names a port means what is plugged in there
        pass


def test_a_twin_that_came_while_it_was_there_is_not_taken_for_it(desk: Desk) -> None:
    desk.plug(0, port="1-1")
    one = usb(desk, [jpeg(), lambda: desk.plug(2, port="1-2"), jpeg(), lambda: desk.unplug(0)])
    read(one)
    absent(one)


def test_where_the_system_tells_nothing_a_number_is_a_number(desk: Desk) -> None:
    """As in a container that was given /dev/video0 and no /sys."""
    desk.plug(0)
    (desk.root / "sys").rename(desk.root / "gone")
    one = usb(desk, [jpeg()])
    read(one)
    with one:
        pass


def test_exchanged_while_it_was_opened(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0, "Mine", serial="A1")
    inner = StandIn.open

    def exchanged(self: StandIn, device: str, backend: int) -> Any:
        camera = inner(self, device, backend)
        desk.unplug(0)
        desk.plug(0, "Another", serial="B2")
        return camera

    monkeypatch.setattr(StandIn, "open", exchanged)
    stand_in = StandIn([jpeg()] * 3)
    one = UsbSource(
        parse_address("usb:0"),
        AS_IT_IS,
        MonotonicClock(),
        V4l2(desk.tree, stand_in.opencv, lambda path: False),
    )
    absent(one)
    assert stand_in.opened[0].released, "what was opened is given back"
    assert len(stand_in.script) == 3, "none of its pictures was taken"


def test_cameras_are_listed_without_what_gives_no_pictures(desk: Desk) -> None:
    assert cameras(desk.tree) == []
    desk.plug(10, "Second", port="1-2")
    desk.plug(0, "First", port="1-1", serial="A1")
    desk.plug(1, "First", port="1-1", index=1, modes=())
    desk.link("usb-First_A1-video-index0", 0)
    desk.link("pci-0000:00:14.0-usb-0:1:1.0-video-index0", 0, "by-path")
    first, second = cameras(desk.tree)
    assert (first.number, first.name, second.number, second.name) == (0, "First", 10, "Second")
    assert first.links == (
        "/dev/v4l/by-id/usb-First_A1-video-index0",
        "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",
    )
    assert first.identity is not None
    assert (first.identity.serial, first.identity.port) == ("A1", "1-1")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EBUSY])
def test_a_camera_that_cannot_be_asked_is_listed_by_its_first_node(desk: Desk, number: int) -> None:
    desk.plug(0, "First", port="1-1")
    desk.plug(1, "First", port="1-1", index=1)

    def refuse(path: Path) -> Capability:
        raise OSError(number, os.strerror(number))

    assert [camera.number for camera in cameras(replace(desk.tree, capability=refuse))] == [0]


# ---- why not


def test_one_that_is_not_there_names_those_that_are(desk: Desk) -> None:
    error = failure(usb(desk, [], address="usb:7"))
    assert error.cause is Cause.NOT_FOUND
    assert str(error) == (
        "usb:7: no camera here: is it plugged in? (a container sees one with --device /dev/video0)"
    )
    desk.plug(0, "First", port="1-1")
    desk.plug(2, "Second\x1b[31m", port="1-2")
    desk.link("usb-First-video-index0", 0)
    error = failure(usb(desk, [], address="/dev/video7"))
    assert str(error) == (
        "/dev/video7: is not there; there are: usb:0 First (/dev/v4l/by-id/usb-First-video-index0), "
        "usb:2 Second [31m"
    )


def test_one_that_carries_metadata_is_no_camera(desk: Desk) -> None:
    desk.plug(0, "First")
    desk.plug(1, "First", index=1, modes=())
    error = failure(usb(desk, [], address="usb:1"))
    assert error.cause is Cause.NOT_FOUND
    assert str(error) == (
        "usb:1: gives no pictures: it carries data beside them, or is an output; there are: usb:0 First"
    )


def test_one_that_another_program_holds_is_named_with_it(desk: Desk) -> None:
    node = desk.plug(0)
    desk.plug(1, port="1-9")
    for number, name in ((123, "zoom"), (os.getpid(), "us"), (77, "pipewire")):
        process = desk.root / f"proc/{number}"
        (process / "fd").mkdir(parents=True)
        (process / "comm").write_text(f"{name}\n")
        (process / "fd/3").symlink_to(node if name != "pipewire" else desk.dev / "video1")
    (desk.root / "proc/self").mkdir()
    error = failure(usb(desk, [], held=lambda path: True))
    assert error.cause is Cause.DEVICE
    assert str(error) == (
        f"usb:0: {node} is held by another program, or by another camera of this one: zoom (pid 123)"
    )
    (desk.root / "proc/123/fd/3").unlink()
    assert "`fuser -v" in str(failure(usb(desk, [], held=lambda path: True)))


def test_one_that_may_not_be_opened_says_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)

    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    error = failure(usb(desk, [], held=forbidden))
    assert error.cause is Cause.NOT_FOUND
    assert "may not be opened (permission denied): it belongs to the group" in str(error)
    assert "`sudo usermod -aG " in str(error)

    def nobody_knows(gid: int) -> None:
        raise KeyError(gid)

    monkeypatch.setattr("grp.getgrgid", nobody_knows)  # as in a container, whose groups are others
    gid = (desk.dev / "video0").stat().st_gid
    said = str(failure(usb(desk, [], held=forbidden)))
    assert f"belongs to the group {gid}; " in said
    assert said.endswith(f"in a container --group-add {gid}")


def test_one_that_is_no_device_at_all(desk: Desk) -> None:
    desk.plug(0)
    system = V4l2(desk.tree, StandIn([]).opencv, driver.held)  # a file is asked what only a device answers
    error = failure(UsbSource(parse_address("usb:0"), AS_IT_IS, MonotonicClock(), system))
    assert error.cause is Cause.NOT_FOUND or error.cause is Cause.DEVICE
    with pytest.raises(OSError, match=r"ioctl|Inappropriate"):
        driver.capability(desk.dev / "video0")


def test_one_that_opencv_cannot_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)
    monkeypatch.setattr("usb_cameras.Opened.isOpened", lambda self: False)
    error = failure(usb(desk, []))
    assert error.cause is Cause.CODEC


def test_one_whose_driver_gives_nothing_though_it_is_there(desk: Desk) -> None:
    desk.plug(0)
    error = failure(usb(desk, []))
    assert error.cause is Cause.DEVICE
    assert "its driver gives no pictures: several cameras may be too much for one USB controller" in str(
        error
    )


def test_a_wait_that_ends_with_nothing_means_that_it_is_gone(desk: Desk) -> None:
    """As OpenCV says it where a device hangs up."""
    desk.plug(0)
    stand_in = StandIn([jpeg()] * 3)
    opencv = OpenCv(stand_in.open, lambda streams, timeout_ns: (True, np.zeros(0, np.int32)))
    capture = V4l2(desk.tree, opencv, lambda path: False)
    one = UsbSource(parse_address("usb:0"), AS_IT_IS, MonotonicClock(), capture)
    assert failure(one).cause is Cause.DEVICE
    assert len(stand_in.script) == 2


def test_silence_is_an_error_after_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)
    monkeypatch.setattr(source, "SILENT_NS", 10_000_000)
    error = failure(usb(desk, [jpeg(), *[None] * 2_000_000]))
    assert error.cause is Cause.SILENCE
    assert "no picture came for" in str(error)
