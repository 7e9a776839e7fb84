"""What may be written for SOURCE, what it is called, and that no password is ever shown."""

import base64
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.sources import Kind, parse_address, redact, unique_names


@pytest.mark.parametrize(
    ("text", "kind", "name", "live"),
    [
        ("rtsp://192.0.2.10/stream2", Kind.RTSP, "192-0-2-10", True),
        ("RTSP://user:secret@Gate.example:8554/a?b=1", Kind.RTSP, "gate-example", True),
        ("rtsps://[2001:db8::1]:322/x", Kind.RTSPS, "2001-db8-1", True),
        ("http://example.org/cam.mjpg", Kind.HTTP, "example-org", True),
        ("https://example.org/live/index.m3u8", Kind.HTTPS, "example-org", True),
        ("rtsp://user:secret@23@h.example/x", Kind.RTSP, "h-example", True),
        ("rtsp://192.0.2.10:554/live@1", Kind.RTSP, "192-0-2-10", True),
        ("rtsp://user:sec@ret@192.0.2.10:554/live@1?a=b@c", Kind.RTSP, "192-0-2-10", True),
        ("rtsp://[2001:db8::1]:554/live@1", Kind.RTSP, "2001-db8-1", True),
        ("https://example.org/@user/live.m3u8", Kind.HTTPS, "example-org", True),
        ("usb:0", Kind.USB, "usb0", True),
        ("/dev/video2", Kind.USB, "video2", True),
        ("/dev/v4l/by-id/usb-046d_C920-index0", Kind.USB, "usb-046d_C920-index0", True),
        ("clips/Front Door.mp4", Kind.FILE, "Front-Door", False),
        ("10:30.mp4", Kind.FILE, "10-30", False),
        ("./concat:a.mp4", Kind.FILE, "concat-a", False),
        ("pictures/*.jpg", Kind.PICTURES, "pictures", False),
        ("card/*.MP4", Kind.FILMS, "card", False),
        ("holiday/", Kind.PICTURES, "holiday", False),
        ("one.PNG", Kind.PICTURES, "one-PNG", False),
        ("synthetic:", Kind.SYNTHETIC, "synthetic", True),
        ("synthetic:?size=640x360&fps=30&seed=1", Kind.SYNTHETIC, "synthetic", True),
        ("synthetic:?count=9", Kind.SYNTHETIC, "synthetic", False),
    ],
)
def test_what_is_allowed(text: str, kind: Kind, name: str, live: bool) -> None:
    address = parse_address(text)
    assert (address.kind, address.name, address.live) == (kind, name, live)
    assert "sec" not in address.redacted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file:/etc/passwd",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "concat:/etc/passwd|/etc/hosts",
        "pipe:0",
        "data:text/plain,x",
        "tcp://192.0.2.1:1",
        "udp://192.0.2.1:1",
        "srt://192.0.2.1:1",
        "rtmp://192.0.2.1/x",
        "subfile:,,start,0,end,0,,:x.mp4",
        "crypto+http://192.0.2.1/x",
        "ftp://192.0.2.1/x",
        "lavfi:testsrc",
        "rtsp:192.0.2.10/x",
        "rtsp://",
        "rtsp:///x",
        "http://:80/x",
        "rtsp://host:0/x",
        "rtsp://host:99999/x",
        "rtsp://host:port/x",
        "rtsp://[::1/x",
        "rtsp://host/a b",
        "http://host/\r\nX-Evil: 1",
        "clip\0.mp4",
        "usb:",
        "usb:-1",
        "usb:front",
        "synthetic:?size=1x1",
        "synthetic:?size=99999x99999",
        "synthetic:?fps=0",
        "synthetic:?fps=nan",
        "synthetic:?seed=-1",
        "synthetic:?count=0",
        "synthetic:?colour=red",
        "synthetic:?fps=1&fps=2",
        "synthetic:fps=1",
        "rtsp://user:pa/ss@host/x",
        "rtsp://user:p@ss/word@host/x",
        "rtsp://user:12/34@host/x",
        "rtsp://user:p#ss@host/x",
        "https://user:p?ss@host/x",
        "rtsp://user:p@s?s@host/x",
        "http://user@host/a@b",
        "rtsp://to/ken@host/x",
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed|control|percent|twice|begin"):
        parse_address(text)


def test_a_file_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "concat:x.mp4").touch()
    address = parse_address("concat:x.mp4", tmp_path)
    assert (address.kind, address.text) == (Kind.FILE, str(tmp_path / "concat:x.mp4"))


def test_paths_count_from_the_folder_that_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "odd [name]"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a.jpg").touch()
    assert parse_address("in", folder).kind is Kind.PICTURES
    assert parse_address("in/*.jpg", folder).text == f"{tmp_path}/odd [[]name]/in/*.jpg"
    assert parse_address("x.mp4", folder).text == str(folder / "x.mp4")
    assert parse_address("/abs/x.mp4", folder).text == "/abs/x.mp4"
    assert parse_address("in/a.jpg", folder).name == "a"


def test_what_lies_in_a_folder_says_what_it_is(tmp_path: Path) -> None:
    for name in ("notes.txt", ".hidden.mp4", "a.gps"):
        (tmp_path / name).touch()
    (tmp_path / "sub.mp4").mkdir()
    for text in (".", "*", "no such folder/"):
        assert parse_address(text, tmp_path).kind is Kind.PICTURES
    (tmp_path / "a.MP4").touch()
    for text in (".", "*", "a*", f"../{tmp_path.name}/", "?.*"):
        address = parse_address(text, tmp_path)
        assert (address.kind, address.live) == (Kind.FILMS, False)
        assert address.kind.film
        assert address.kind.local
    assert parse_address("a.MP4", tmp_path).kind is Kind.FILE
    assert parse_address("*.jpg", tmp_path).kind is Kind.PICTURES


@pytest.mark.timeout(10)
def test_looking_what_a_pattern_finds_is_bounded(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"loop{number}").symlink_to(tmp_path)
    assert parse_address("*/*/*/*/*/*/*/*/*", tmp_path).kind is Kind.PICTURES


def test_a_refused_address_shows_no_password() -> None:
    for text in (
        "rtsp://user:hunter2@host:port/x",
        "rtsp://user:hunt er2@host/x",
        "rtsp://user:hun/ter2@host/x",
        "srt://user:hunter2@host/x",
        "rtsp://user:hunter2@host/\n",
    ):
        with pytest.raises(ConfigError) as caught:
            parse_address(text)
        assert "ter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:hunter2@192.0.2.1/x",
        "cannot open rtsp://admin:hunter2@192.0.2.1:554/Streaming/101: Connection refused",
        "RTSP://admin:hun/ter2@192.0.2.1/x hunter2"[:-8],
        "http://192.0.2.1/snap.cgi?user=admin&pwd=hunter2&res=1",
        "http://192.0.2.1/snap.cgi?loginuse=admin&loginpas=hunter2",
        "rtsp://192.0.2.1:554/user=admin_password=hunter2_channel=1_stream=0.sdp",
        "https://192.0.2.1/live?access_token=hunter2#top",
        "url=rtsp%3A%2F%2Fadmin%3Ahunter2%40192.0.2.1",
        "Authorization: Basic aHVudGVyMg==",
        "Authorization: Digest username=hunter2",
    ],
)
def test_redact_hides_credentials_in_any_text(text: str) -> None:
    shown = redact(text)
    assert "ter2" not in shown
    assert "aHVudGVyMg" not in shown
    assert "***" in shown


def test_redact_leaves_the_rest() -> None:
    assert redact("rtsp://192.0.2.1/x: the connection was refused") == (
        "rtsp://192.0.2.1/x: the connection was refused"
    )
    assert redact("http://h/x?token=a: refused: why") == "http://h/x?token=***: refused: why"
    assert redact("http://h/x?token=a&res=720p") == "http://h/x?token=***&res=720p"


@given(
    st.text("abcXYZ0189-_.~!$&'()*+,;=:@/?#% \u00e4\u4e16", min_size=1, max_size=12),
    st.text("abcXYZ0189-_.~!$&'()*+,;=:@/?#% \u00e4\u4e16", min_size=5, max_size=24),
)
def test_an_address_hides_its_password_in_every_form(user: str, password: str) -> None:
    password = f"pw{password}"
    url = f"rtsp://{quote(user, safe='')}:{quote(password, safe='')}@camera.example/live"
    address = parse_address(url)
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    for form in (url, password, quote(password), quote(password, safe=""), f"{user}:{password}", pair):
        shown = address.redact(f"<<{form}>>")
        assert password not in shown
        assert quote(password, safe="") not in shown
        assert pair.rstrip("=") not in shown
    assert address.redacted == "rtsp://***@camera.example/live"
    assert password not in repr(address)
    assert quote(password, safe="") not in repr(address)


# Letters that no message and no host here has two of in a row.
PASSWORDS = st.text("qxzj/@:#?%[]\\\" .-_'&=;{|}", min_size=1, max_size=16)


def pieces(password: str) -> set[str]:
    return {
        password[at : at + 4]
        for at in range(len(password) - 3)
        if sum(letter in "qxzj" for letter in password[at : at + 4]) > 1
    }


def said_of(text: str) -> str:
    """All that anybody gets to see of an address: in small letters, as hosts are."""
    try:
        address = parse_address(text)
    except ConfigError as error:
        return f"{error} {redact(str(error))}".lower()
    return f"{address.name} {address.redacted} {address!r} {address.redact(text)}".lower()


@given(
    st.sampled_from(
        ["rtsp://", "rtsps://", "http://", "https://", "srt://", "rtsp:/", "rtsp//", " rtsp://", ""]
    ),
    PASSWORDS,
    st.booleans(),
    st.sampled_from(["", ":554", "/live", "/live?x=1", "/live\n"]),
)
def test_no_piece_of_a_password_is_shown_however_it_is_typed(
    scheme: str, password: str, encoded: bool, rest: str
) -> None:
    typed = quote(password, safe="") if encoded else password
    said = said_of(f"{scheme}me:{typed}@camera.example{rest}")
    assert not [piece for piece in pieces(password) if piece in said]


@given(PASSWORDS.map(lambda text: text.replace("&", "")))
def test_no_piece_of_a_password_in_a_query_is_shown(password: str) -> None:
    said = said_of(f"http://192.0.2.1/v?user=me&pwd={password}&res=1")
    assert not [piece for piece in pieces(password) if piece in said]


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:8554/cam0", "192.0.2.1", "[::1]:8554/cam0", "gate.example:554/x", "localhost:8554/cam0"],
)
def test_an_address_whose_scheme_was_forgotten_is_asked_about(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"did you mean rtsp://{text}?")):
        parse_address(text)


def test_a_path_that_looks_like_an_address_is_a_path(tmp_path: Path) -> None:
    for text in ("./127.0.0.1:8554/x.mp4", "../at 10:30@home.mp4", "/127.0.0.1"):
        assert parse_address(text, tmp_path).kind is Kind.FILE
    (tmp_path / "10:30@home.mp4").touch()
    assert parse_address("10:30@home.mp4", tmp_path).kind is Kind.FILE


def test_what_came_from_the_environment_is_hidden_in_any_part_of_it() -> None:
    text = "https://192.0.2.1/s3cretpath/live?ch=s3cretpath"
    address = parse_address(text, environment=("s3cretpath", "192.0.2.1", "elsewhere", ""))
    assert address.redacted == "https://192.0.2.1/***/live?ch=***"
    assert address.redact(f"{text}: gone") == "https://192.0.2.1/***/live?ch=***: gone"
    assert "s3cretpath" not in repr(address)
    assert address.text == text


def test_secrets_in_the_query_are_hidden_too() -> None:
    address = parse_address("http://camera.example/v.cgi?usr=admin&pwd=hunter2")
    assert "hunter2" not in repr(address)
    assert "hunter2" not in address.redact("the camera said: hunter2 is wrong")


@given(st.text())
def test_any_text_is_an_address_or_a_config_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ConfigError:
        return
    assert unique_names([address]) == [address.name]


def test_names_are_unique() -> None:
    addresses = [
        parse_address(text) for text in ("rtsp://h/1", "rtsp://h/2", "a/h.mp4", "b/h-2.mp4", "x.mp4")
    ]
    assert unique_names(addresses) == ["h", "h-2", "h-3", "h-2-2", "x"]
    assert unique_names(addresses, ["x", "gate"]) == ["x", "gate", "h", "h-2", "x-2"]
    long = [parse_address(f"{folder}/{'n' * 80}.mp4") for folder in "ab"]
    assert [len(name) for name in unique_names(long)] == [64, 64]


@pytest.mark.parametrize(
    "names", [["a b"], [""], ["a" * 65], ["gate", "gate"], ["a", "b", "c"], ["tor/1"], ["ä"]]
)
def test_names_that_cannot_be_used(names: list[str]) -> None:
    addresses = [parse_address("rtsp://h/1"), parse_address("rtsp://h/2")]
    with pytest.raises(ConfigError):
        unique_names(addresses, names)


def test_reading_addresses_loads_nothing_heavy() -> None:
    code = "import sys, streamer.sources; sys.exit(str({'av', 'cv2', 'torch'} & set(sys.modules) or '') or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_address_whose_scheme_was_forgotten_shows_no_password() -> None:
    with pytest.raises(ConfigError, match=r"did you mean rtsp://\*\*\*@192\.0\.2\.1/s\?") as caught:
        parse_address("admin:hunter2@192.0.2.1/s")
    assert "hunter2" not in str(caught.value)


def test_a_name_that_no_file_system_takes_is_a_mistake_of_the_user() -> None:
    with pytest.raises(ConfigError, match="too long"):
        parse_address("x" * 5000)
