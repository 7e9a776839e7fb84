"""Finding ONVIF cameras: the question, the answers, and answers of those who mean no good."""

import re
import select
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.onvif import Interface, chosen, interfaces, search
from streamer.onvif.discovery import DEVICES_OF_A_HOST, MOST_OF_A_HOST, SENT_TIMES
from streamer.onvif.markup import LARGEST_BYTES, Unreadable, parse, text
from streamer.onvif.matching import probe, read_answers
from streamer.onvif.places import at_host, device_url, host_and_port
from tests.onvif_camera import LOOPBACK, Responder, matches

pytestmark = pytest.mark.timeout(30)

HERE = [Interface("lo", LOOPBACK)]
A, D = "http://schemas.xmlsoap.org/ws/2004/08/addressing", "http://schemas.xmlsoap.org/ws/2005/04/discovery"
SOAP = "http://www.w3.org/2003/05/soap-envelope"


def gate(message_id: str) -> Sequence[bytes]:
    scopes = "onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/Eye-3"
    return [matches(message_id, ("urn:uuid:1", f"http://{LOOPBACK}:81/onvif/device_service", scopes))]


def test_a_camera_is_found_by_multicast_as_the_standard_has_it() -> None:
    with Responder(gate, multicast=True) as camera:
        found = search(HERE, seconds=0.6)
    (answer,) = [one for one in found.answers if one.endpoint == "urn:uuid:1"]
    assert answer.url == "http://127.0.0.1:81/onvif/device_service"
    assert (answer.host, answer.name, answer.hardware) == (LOOPBACK, "Front door", "Eye-3")
    assert found.asked == tuple(HERE)
    question = ElementTree.fromstring(camera.questions[0])
    assert question.findtext(f"{{{SOAP}}}Header/{{{A}}}Action") == f"{D}/Probe"
    assert question.findtext(f"{{{SOAP}}}Header/{{{A}}}To") == "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
    assert question.findtext(f"{{{SOAP}}}Body/{{{D}}}Probe/{{{D}}}Types") == "dn:NetworkVideoTransmitter"
    assert b'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"' in camera.questions[0]


def test_the_same_question_is_asked_again_and_the_camera_counts_once() -> None:
    with Responder(gate) as camera:
        begun = time.monotonic()
        found = search(HERE, seconds=1.8, to=camera.at)
        assert 1.7 < time.monotonic() - begun < 5
    assert len(found.answers) == 1
    assert len(camera.questions) == SENT_TIMES
    assert len(set(camera.questions)) == 1  # that is how a camera knows that it has heard it


def test_several_cameras_and_several_addresses_of_one() -> None:
    def answers(message_id: str) -> Sequence[bytes]:
        own = f"http://[fe80::1]/onvif http://10.9.8.7/onvif http://{LOOPBACK}:82/onvif/x?a=b"
        return [
            matches(message_id, ("urn:uuid:1", own, ""), ("urn:uuid:2", f"https://{LOOPBACK}/onvif", "")),
            *gate(message_id.replace("urn:uuid:", "uuid:").upper()),
        ]

    with Responder(answers) as camera:
        found = search(HERE, seconds=0.3, to=camera.at)
    assert [one.url for one in found.answers] == [
        "http://127.0.0.1:82/onvif/x?a=b",  # the one that is its own, of several
        "https://127.0.0.1/onvif",
    ]


def test_an_address_on_another_host_is_never_gone_to() -> None:
    def answers(message_id: str) -> Sequence[bytes]:
        return [
            matches(message_id, ("urn:uuid:1", "http://user:pw@192.0.2.99:8080/onvif/device_service", ""))
        ]

    with Responder(answers) as camera:
        found = search(HERE, seconds=0.3, to=camera.at)
    assert [one.url for one in found.answers] == ["http://127.0.0.1:8080/onvif/device_service"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: b"hello",
        lambda _: b"\xff" * 1000,
        lambda _: matches("urn:uuid:of-somebody-else", ("urn:uuid:1", f"http://{LOOPBACK}/", "")),
        lambda it: matches(it, ("urn:uuid:1", "file:///etc/passwd rtsp://127.0.0.1/ http:// x", "")),
        lambda it: matches(it, ("urn:uuid:1", "http://127.0.0.1:0/a http://127.0.0.1:99999/a", "")),
        lambda it: matches(it, ("urn:uuid:1", "", "")),
        matches,
        lambda it: b'<!DOCTYPE x [<!ENTITY a "b">]>' + matches(it, ("1", f"http://{LOOPBACK}/", ""))[38:],
    ],
)
def test_what_is_no_answer_is_counted_and_no_more(answer: object) -> None:
    with Responder(lambda message_id: [answer(message_id)]) as camera:  # type: ignore[operator]
        found = search(HERE, seconds=0.2, to=camera.at)
    assert found.answers == ()
    assert found.unreadable >= 1


def test_a_host_that_floods_fills_neither_the_list_nor_the_time() -> None:
    def answers(message_id: str) -> Sequence[bytes]:
        flood = [matches(message_id, (f"urn:uuid:{i}", f"http://{LOOPBACK}:{i}/", "")) for i in range(1, 500)]
        return [*flood, b"<" * 60_000]

    with Responder(answers) as camera:
        begun = time.monotonic()
        found = search(HERE, seconds=0.3, to=camera.at)
        assert time.monotonic() - begun < 5
    assert len(found.answers) == DEVICES_OF_A_HOST < MOST_OF_A_HOST
    with Responder(lambda _: [b"junk"] * 100) as camera:
        found = search(HERE, seconds=0.3, to=camera.at)
    assert found.unreadable == MOST_OF_A_HOST


def test_a_host_that_floods_does_not_hide_the_others() -> None:
    """It floods from the first question to the second; the camera answers the others."""
    with ExitStack() as stack:
        ear, camera, flooder = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3)
        )
        ear.bind((LOOPBACK, 0))
        camera.bind((LOOPBACK, 0))
        try:
            flooder.bind(("127.0.0.2", 0))
        except OSError:
            pytest.skip("this machine has one loopback address only")

        def answer() -> None:
            _, where = ear.recvfrom(LARGEST_BYTES)
            for _ in range(100_000):
                flooder.sendto(b"junk", where)
                if select.select([ear], [], [], 0)[0]:
                    break
            while question := ear.recv(LARGEST_BYTES):
                message_id = re.search(rb"urn:uuid:([0-9a-f-]{36})", question)
                assert message_id is not None
                camera.sendto(matches(message_id[1].decode(), ("urn:uuid:1", "http://c/", "")), where)

        thread = threading.Thread(target=answer)
        thread.start()
        found = search(HERE, seconds=1.2, to=ear.getsockname())
        camera.sendto(b"", ear.getsockname())
        thread.join()
    assert [one.endpoint for one in found.answers] == ["urn:uuid:1"]
    assert found.unreadable == MOST_OF_A_HOST


def test_names_cannot_drive_a_terminal() -> None:
    scopes = (
        "onvif://www.onvif.org/name/%1b%5b2Jgate%0a%e2%80%aeevil onvif://www.onvif.org/hardware/" + "x" * 5000
    )
    message_id = str(uuid.uuid4())
    data = matches(f"urn:uuid:{message_id}", ("1", f"http://{LOOPBACK}/", scopes[:4000]))
    (answer,) = read_answers(data, LOOPBACK, message_id)
    assert answer.name == "[2Jgate evil"
    assert len(answer.hardware) <= 60


def test_the_networks_of_this_machine_without_loopback() -> None:
    for one in interfaces():
        assert not one.address.startswith("127.")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((one.address, 0))
    assert chosen([LOOPBACK]) == [Interface(LOOPBACK, LOOPBACK)]
    for wrong in ("wlan99", "198.51.100.7", "1.2.3", ""):
        with pytest.raises(ConfigError, match="there is no such network here"):
            chosen([wrong])


def test_a_network_that_has_just_gone_is_not_asked() -> None:
    with Responder(gate) as camera:
        found = search([Interface("usb0", "198.51.100.7"), *HERE], seconds=0.3, to=camera.at)
    assert found.asked == tuple(HERE)
    assert len(found.answers) == 1


def test_no_network_no_question() -> None:
    begun = time.monotonic()
    found = search([], seconds=5)
    assert not found.asked
    assert not found.answers
    assert time.monotonic() - begun < 1


class TestPlaces:
    @pytest.mark.parametrize(
        ("told", "there"),
        [
            ("http://cam/onvif/media?x=1#y", "http://192.0.2.1:88/onvif/media?x=1"),
            ("http://10.0.0.9:8080/m", "http://192.0.2.1:88/m"),
            ("http://192.0.2.1:8080/m", "http://192.0.2.1:8080/m"),
            ("HTTPS://192.0.2.1/m", "https://192.0.2.1/m"),
            ("http://a:b@192.0.2.1/m", "http://192.0.2.1/m"),
            ("rtsp://192.0.2.1/m", None),
            ("http://192.0.2.1/m m", None),
            ("http://192.0.2.1/\x1b", None),
            ("http://192.0.2.1:x/", None),
            ("http://[::1/", None),
            ("http:///m", None),
            ("http://192.0.2.1/" + "x" * 3000, None),
            ("", None),
        ],
    )
    def test_only_the_way_is_believed(self, told: str, there: str | None) -> None:
        assert at_host(told, "192.0.2.1", ("http", "https"), 88) == there

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("192.0.2.1", ("192.0.2.1", None)),
            ("gate.local:8080", ("gate.local", 8080)),
            ("[fd00::1]:80", ("fd00::1", 80)),
            ("[fd00::1]", ("fd00::1", None)),
            ("a:0", None),
            ("a:70000", None),
            ("[x]:1", None),
            ("a b", None),
            ("a/b", None),
            ("u@a", None),
            ("-a", None),
        ],
    )
    def test_a_host_as_users_write_it(self, text: str, place: tuple[str, int | None] | None) -> None:
        assert host_and_port(text) == place

    def test_where_a_device_service_is(self) -> None:
        assert device_url("fd00::1", 81) == "http://[fd00::1]:81/onvif/device_service"


class TestMarkup:
    def test_what_is_wanted_of_it(self) -> None:
        root = parse(b'<a xmlns="urn:x" k="v"><b> one\n two\x09</b><c/></a>')
        assert root.tag == "{urn:x}a"
        assert root.get("k") == "v"
        assert text(root, "{*}b") == "one two"
        assert text(root, "{*}c") == text(root, "{*}d") == text(None) == ""

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"<a>",
            b"<a></b>",
            b'<?xml version="1.0" encoding="no-such"?><a/>',
            b"<!DOCTYPE a><a/>",
            b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
            b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><a/>',
            '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16"),
            b"<a>&x;</a>",
            b"<a>" * 100 + b"</a>" * 100,
            b"<r>" + b"<a/>" * 30_000 + b"</r>",
            b"<r>" + b" " * LARGEST_BYTES + b"</r>",
        ],
    )
    def test_what_nobody_in_good_faith_sends_is_refused(self, data: bytes) -> None:
        with pytest.raises(Unreadable):
            parse(data)

    @given(st.binary(max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        message_id = "2b0e7a26-5a5b-4a0c-9d3e-0d3c3f0a7b11"
        for one in (data, matches(message_id, ("1", "http://x/", "")).replace(b"http://x/", data)):
            try:
                answers = read_answers(one, LOOPBACK, message_id)
            except Unreadable:
                continue
            assert all(it.url.startswith(("http://127.0.0.1", "https://127.0.0.1")) for it in answers)

    def test_the_question_is_xml(self) -> None:
        assert parse(probe("x")).tag == f"{{{SOAP}}}Envelope"
