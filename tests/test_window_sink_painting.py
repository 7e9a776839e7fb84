"""What the window paints, without a display: tiles, words, numbers, layouts; and what the two sides share."""

import math
import os
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest
from boxes import until
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sinks.overlay import BLACK
from sinks.window import board, messages, snapshots, tile, wording
from sinks.window.board import Board
from sinks.window.hanging import scale
from sinks.window.layout import fit, grid, shared_out
from sinks.window.lettering import MORE, cut, letter_for, lines, width_of
from sinks.window.messages import MOST_BOXES, Boxes, Shot, Tile, Wanted
from sinks.window.process import telling
from sinks.window.seen import Seen
from sinks.window.tile import AMBER, GREY, RED, Look
from sinks.window.view import Wall
from streamer import Detections
from streamer.looking.polygon import MOST_POINTS
from streamer.looking.region import MOST_POLYGONS

SECOND = 1_000_000_000
NOW = 1000 * SECOND
LONG = "the connection was refused: does the camera serve this port? " * 3


def shot(index: int = 5, *, age_ns: int = 40_000_000, generation: int = 1, live: bool = True) -> Shot:
    return Shot(generation, 320, 180, (640, 360), index, NOW - age_ns, 0, NOW - age_ns, live)


def camera(**other: object) -> Tile:
    plain = Tile("gate", "live", NOW - 60 * SECOND, "", (), shot(), None, 0)
    return msgspec.structs.replace(plain, **other)


def look(it: Tile, age_ns: int | None = 40_000_000) -> Look:
    headline, sentence = wording.trouble(it, NOW, 40_000_000)
    return Look(it, 1, headline, sentence, 25.0, age_ns, "predicted")


# ---- layouts


@given(
    st.tuples(st.integers(40, 4000), st.integers(40, 3000)),
    st.lists(st.none() | st.floats(0.2, 5), min_size=1, max_size=64),
    st.integers(12, 50),
)
@settings(max_examples=200)
def test_cells_do_not_meet_and_lie_in_the_view(
    size: tuple[int, int], ratios: list[float | None], bar: int
) -> None:
    cells = grid(size, ratios, bar)
    assert len(cells) == len(ratios)
    painted = np.zeros((size[1], size[0]), np.uint8)
    for cell in cells:
        assert 0 <= cell.x <= cell.x + cell.width <= size[0]
        assert 0 <= cell.y <= cell.y + cell.height <= size[1]
        part = painted[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width]
        assert not part.any()
        part[:] = 1


@pytest.mark.parametrize(
    ("ratios", "columns"),
    [
        ([16 / 9], 1),
        ([16 / 9] * 2, 2),
        ([16 / 9] * 4, 2),
        ([16 / 9] * 7, 3),
        ([9 / 16] * 4, 4),
        ([None] * 4, 2),
    ],
)
def test_the_layout_that_shows_most_is_taken(ratios: list[float | None], columns: int) -> None:
    cells = grid((1280, 740), ratios, 20)
    assert len({cell.x for cell in cells}) == columns


@given(
    st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
)
def test_a_picture_fits_and_fills_one_side(size: tuple[int, int], room: tuple[int, int]) -> None:
    width, height = fit(size, room)
    assert 1 <= width <= room[0]
    assert 1 <= height <= room[1]
    assert width == room[0] or height == room[1]


@given(st.lists(st.tuples(st.integers(0, 8000), st.integers(0, 8000)), max_size=64))
def test_rooms_never_come_to_more_than_there_is(sizes: list[tuple[int, int]]) -> None:
    rooms = shared_out(sizes, board.MOST_PIXELS)
    assert sum(width * height for width, height in rooms) <= board.MOST_PIXELS
    if sum(width * height for width, height in sizes) <= board.MOST_PIXELS:
        assert list(rooms) == sizes


# ---- letters


@given(st.text(max_size=60), st.integers(0, 400), st.integers(10, 40))
@settings(max_examples=60, deadline=None)
def test_what_is_cut_fits_and_says_that_it_was_cut(text: str, room: int, letter: int) -> None:
    done = cut(text, room, letter)
    assert not done or width_of(done, letter) <= room
    assert all(one.isprintable() for one in done)
    if len(done) < len(text):
        assert not done or done.endswith(MORE)


@given(st.text("ab cdé/:", max_size=120), st.integers(40, 400), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_lines_fit_and_lose_nothing_while_there_is_room(text: str, room: int, most: int) -> None:
    done = lines(text, room, 12, most)
    assert len(done) <= most
    assert all(width_of(line, 12) <= room for line in done)
    if len(done) < most:
        assert "".join("".join(done).split()) == "".join(text.split())


@pytest.mark.parametrize(("height", "letter"), [(100, 12), (480, 12), (760, 15), (1080, 21), (2160, 42)])
def test_letters_grow_with_the_view_and_are_never_too_small(height: int, letter: int) -> None:
    assert letter_for(height) == letter


# ---- words


@pytest.mark.parametrize(
    ("it", "headline", "sentence"),
    [
        (camera(), "", ""),
        (
            camera(state="silent", since_ns=NOW - 3 * SECOND, why="nothing came"),
            "silent for 3.0 s",
            "nothing came",
        ),
        (
            camera(state="retrying", since_ns=NOW - 90 * SECOND, why="rtsp://h/x: the host is unknown"),
            "offline for 1 min 30 s",
            "the host is unknown; trying again",
        ),
        (
            camera(state="failed", since_ns=NOW - 2 * SECOND, why="rtsp://h/x: the password is refused"),
            "failed 2.0 s ago",
            "the password is refused; tried again slowly",
        ),
        (
            camera(state="retrying", since_ns=NOW, why="rtsp://h/x: refused: is it on?"),
            "offline for 0 ms",
            "refused: is it on? Trying again",
        ),
        (camera(state="connecting", since_ns=NOW), "connecting for 0 ms", ""),
        (camera(state="ended"), "ended", ""),
        # The camera is live, but its pictures do not get as far as the window.
        (camera(shot=shot(age_ns=5 * SECOND)), "no picture for 5.0 s", ""),
        (camera(shot=shot(age_ns=5 * SECOND, live=False)), "", ""),
    ],
)
def test_why_it_is_not_live(it: Tile, headline: str, sentence: str) -> None:
    assert wording.trouble(it, NOW, 40_000_000) == (headline, sentence)


def test_a_slow_camera_is_not_called_stale_between_its_pictures() -> None:
    it = camera(shot=shot(age_ns=5 * SECOND))
    assert wording.trouble(it, NOW, 4 * SECOND) == ("", "")
    assert wording.trouble(it, NOW, None) == ("", ""), "nor is one that nobody wants to see newer pictures of"


def test_what_is_wrong_with_a_live_picture_is_said() -> None:
    assert wording.warnings(camera()) == []
    assert wording.warnings(camera(quality=("frozen", "dark"))) == ["frozen, dark"]
    assert wording.warnings(camera(unseen_ns=3 * SECOND)) == ["not looked at for 3.0 s"]
    assert wording.warnings(camera(unseen_ns=None)) == ["nobody has looked yet"]
    assert wording.warnings(camera(unreadable="no pixels")) == ["newer pictures cannot be read: no pixels"]


def test_ages_and_rates() -> None:
    seen = Seen()
    for number in range(50):
        now_ns = NOW + number * 40_000_000
        it = camera(shot=Shot(1, 320, 180, (640, 360), number, now_ns - 20_000_000, 5_000_000, 0, True))
        seen.take(it, np.zeros((180, 320, 3), np.uint8), now_ns)
    seen.count(now_ns)
    assert seen.fps == pytest.approx(25)
    assert seen.age_ns == 65_000_000, "the most that one had on the screen: until the next one came"
    seen.count(now_ns + 500_000_000)
    assert seen.age_ns == 525_000_000, "and it grows when none comes"
    seen.count(now_ns + 5 * SECOND)
    assert seen.fps is None


# ---- tiles


def painted(
    size: tuple[int, int], it: Look, pixels: NDArray[np.uint8] | None, before: int = 7
) -> NDArray[np.uint8]:
    canvas = np.full((size[1], size[0], 3), before, np.uint8)
    tile.paint(canvas, it, pixels, letter_for(400))
    return canvas


TROUBLES = [
    camera(),
    camera(state="failed", why=LONG),
    camera(state="retrying", why="x" * 1000),
    camera(state="silent", name="n" * 200, quality=("frozen",)),
    camera(quality=("frozen", "dark", "defocused"), unseen_ns=None),
    camera(shot=None, state="connecting"),
    camera(region=(((0, 0), (1, 0), (1, 1)), ((0.2, 0.3), (0.3, 0.3), (0.25, 0.4)))),
]


@given(st.tuples(st.integers(1, 500), st.integers(1, 400)), st.sampled_from(TROUBLES), st.booleans())
@settings(max_examples=120, deadline=None)
def test_any_tile_of_any_size(size: tuple[int, int], it: Tile, there: bool) -> None:
    pixels = np.full((180, 320, 3), 200, np.uint8) if there else None
    one, other = (painted(size, look(it), pixels, before) for before in (7, 250))
    assert (one == other).all(), "painted all over"


def test_a_stale_picture_does_not_look_live() -> None:
    pixels = np.full((180, 320, 3), 200, np.uint8)
    live, away = (painted((400, 250), look(camera(state=state)), pixels) for state in ("live", "silent"))
    assert (live[5, 200] == GREY).all()
    assert (away[1, 200] == AMBER).all()
    failed = painted((400, 250), look(camera(state="failed")), pixels)
    assert (failed[1, 200] == RED).all()
    assert live[240, 200].tolist() == [200, 200, 200]
    assert away[240, 200].tolist() == [60, 60, 60]


def test_no_boxes_on_a_stale_picture() -> None:
    things = Detections(("car",), [[100, 100, 500, 300]], [0.9], [0])
    pixels = np.full((180, 320, 3), 200, np.uint8)
    for state, drawn in (("live", True), ("silent", False)):
        it = camera(state=state, boxes=Boxes.of(things, (640, 360)))
        coloured = painted((400, 250), look(it), pixels)[60:, :90].std(axis=2) > 30
        assert coloured.any() == drawn


def test_boxes_lie_where_the_picture_lies() -> None:
    things = Detections(("car",), [[0, 0, 640, 360]], [0.9], [0])
    it = camera(boxes=Boxes.of(things, (640, 360)))
    canvas = painted((500, 200), look(it), np.zeros((180, 320, 3), np.uint8))
    columns = np.nonzero((canvas[100:] == (34, 255, 34)).all(axis=2).any(axis=0))[0]
    width = fit((320, 180), (500, 200 - tile.bar_for(letter_for(400))))[0]
    assert columns.min() == pytest.approx((500 - width) / 2, abs=3)
    assert columns.max() == pytest.approx((500 + width) / 2, abs=3)


def test_a_region_is_outlined_on_the_picture_wherever_it_lies_and_not_where_it_is_stale() -> None:
    region = (((0.5, 0.25), (1, 0.25), (1, 1), (0.5, 1)),)
    pixels = np.full((180, 320, 3), 100, np.uint8)
    place = np.array((500, 200 - tile.bar_for(letter_for(400))))
    across, down = fit((320, 180), (int(place[0]), int(place[1])))
    left = (500 - across) // 2 + across // 2
    live, away, without = (
        painted((500, 200), look(camera(state=state, region=its)), pixels)
        for state, its in (("live", region), ("silent", region), ("live", ()))
    )
    row = 200 - down // 2
    changed = np.nonzero((live[row] != without[row]).any(axis=1))[0]
    right = (500 + across) // 2 - 1
    assert set(changed) <= {*range(left - 3, left + 4), *range(right - 3, right + 1)}, "a thin line"
    assert (live[row, left - 3 : left + 4] > 200).all(axis=1).any()
    assert (away[row, left - 3 : left + 4] == 30).all()


def test_no_more_boxes_than_have_room_and_the_surest_of_them() -> None:
    count = MOST_BOXES + 50
    scores = np.linspace(0, 1, count, dtype=np.float32)
    labels = [f"{'長い名' * 30}{number}" for number in range(count)]
    many = Detections(labels, np.tile([0, 0, 9, 9], (count, 1)), scores, np.arange(count))
    packed = Boxes.of(many, (640, 360))
    back = packed.scaled((640, 360))
    assert len(back) == MOST_BOXES
    assert back.score.min() == pytest.approx(scores[50])
    polygon = tuple((math.sin(i), math.cos(i)) for i in range(MOST_POINTS))
    largest = camera(why="?" * 1000, boxes=packed, region=(polygon,) * MOST_POLYGONS)
    assert len(messages.encode(largest)) < board.RECORD_BYTES


def test_boxes_come_through_as_they_were() -> None:
    things = Detections(("person", "car"), [[10, 20, 300, 180]], [0.5], [1], np.array([7]), np.array([False]))
    back = Boxes.of(things, (640, 360)).scaled((320, 180), (5, 6))
    assert back.xyxy[0] == pytest.approx([10, 16, 155, 96])
    assert back.label(0) == "car"
    assert (back.track_id, back.observed) == (np.array([7]), np.array([False]))
    assert len(Boxes.of(Detections.none(("person",)), (640, 360)).scaled((10, 10))) == 0


@pytest.mark.parametrize("size", [(2, 2), (64, 48), (1280, 720), (3841, 2161)])
def test_pictures_of_any_size_are_scaled_without_a_shift(size: tuple[int, int]) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, size[0] // 2 :] = 200
    place = np.full((90, 160, 3), 9, np.uint8)
    scale(pixels, place)
    assert place[45, 30].max() < 30
    assert place[45, 130].min() > 170


# ---- what the two processes share


@pytest.fixture
def sides() -> tuple[Board, Board]:
    descriptor = board.reserve()
    try:
        return Board(descriptor), Board(descriptor)
    finally:
        os.close(descriptor)


def test_only_whole_and_new_records_are_read(sides: tuple[Board, Board]) -> None:
    writer, reader = sides
    assert reader.read(3, 0, bytes) is None
    with writer.writing(3, b"one"):
        assert reader.read(3, 0, bytes) is None, "not while it is written"
    read = reader.read(3, 0, bytes)
    assert read is not None
    assert read[1] == b"one"
    assert reader.read(3, read[0], bytes) is None, "not twice"
    with pytest.raises(OSError, match="half"), writer.writing(3, b"two"):
        raise OSError("half of it")
    assert reader.read(3, read[0], bytes) is None, "half a picture is none"
    with writer.writing(3, b"three"):
        pass
    assert reader.read(3, read[0], bytes) == (read[0] + 4, b"three") or reader.read(3, read[0], bytes)


def test_nothing_torn_is_ever_read(sides: tuple[Board, Board]) -> None:
    writer, reader = sides
    rooms = [(64, 48), (300, 200)]
    enough = threading.Event()

    def write() -> None:
        number = 0
        while not enough.wait(0.0003):
            number += 1
            with writer.writing(1, str(number).encode()):
                writer.room(rooms, 1, (300, 200))[:] = number % 251

    thread = threading.Thread(target=write)
    thread.start()
    known = 0
    try:
        for _ in range(200):
            until(lambda before=known: reader._numbers[1] != before)
            read = reader.read(
                1, known, lambda record: (int(record), reader.room(rooms, 1, (300, 200)).copy())
            )
            if read is not None:
                known, (number, pixels) = read
                assert (pixels == number % 251).all()
    finally:
        enough.set()
        thread.join()
    assert known > 100


def test_no_room_is_said(sides: tuple[Board, Board]) -> None:
    with pytest.raises(ValueError, match="no room"):
        sides[0].room([(10, 10)], 0, (11, 10))
    with pytest.raises(ValueError, match="no room"):
        sides[0].room([(8000, 8000)], 0, (10, 10))
    with pytest.raises(ValueError, match="a record of"), sides[0].writing(0, bytes(board.RECORD_BYTES + 1)):
        pass


def hang(writer: Board, wanted: Wanted, number: int, it: Tile, value: int) -> None:
    assert it.shot is not None
    with writer.writing(number, messages.encode(it)):
        writer.room(wanted.rooms, number, (it.shot.width, it.shot.height))[:] = value


def test_pixels_of_another_layout_are_not_taken(sides: tuple[Board, Board]) -> None:
    writer, reader = sides
    with writer.writing(board.VIEW, messages.encode(messages.View("latest", 2, ".", "", 0))):
        pass
    wall = Wall(reader)
    wall.read()
    first = wall.lay_out((640, 480))
    assert first is not None
    assert wall.lay_out((640, 480)) is None
    hang(writer, first, 0, camera(shot=shot(1, generation=first.generation)), 100)
    wall.read()
    assert wall._cameras[0].pixels is not None
    assert (wall._cameras[0].pixels == 100).all()
    wall.choose(1)
    second = wall.lay_out((640, 480))
    assert second is not None
    assert second.generation > first.generation
    assert second.rooms[0] == (0, 0)
    hang(writer, first, 0, camera(state="silent", shot=shot(2, generation=first.generation)), 200)
    wall.read()
    kept = wall._cameras[0]
    assert (kept.pixels == 100).all(), "they may be anybody's"
    assert kept.tile is not None
    assert kept.tile.shot is not None
    assert (kept.tile.state, kept.tile.shot.index) == ("silent", 1), "but how it is is true"


def test_boxes_stay_with_their_picture_where_a_newer_one_cannot_be_taken(sides: tuple[Board, Board]) -> None:
    writer, reader = sides
    wall = Wall(reader)
    with writer.writing(board.VIEW, messages.encode(messages.View("latest", 1, ".", "", 0))):
        pass
    wall.read()
    wanted = wall.lay_out((640, 480))
    assert wanted is not None
    hang(writer, wanted, 0, camera(shot=shot(1, generation=wanted.generation)), 100)
    wall.read()
    things = Boxes.of(Detections(("car",), [[0, 0, 9, 9]], [0.9], [0]), (640, 360))
    with writer.writing(0, messages.encode(camera(shot=shot(2, generation=99), boxes=things))):
        pass
    wall.read()
    kept = wall._cameras[0].tile
    assert kept is not None
    assert kept.boxes is None


# ---- what libraries say at last


def test_of_many_complaints_the_cause_is_told() -> None:
    words = (
        "QStandardPaths: XDG_RUNTIME_DIR not set, defaulting to '/tmp/runtime-root'\n\n"
        "qt.qpa.xcb: could not connect to display :7\n"
        'qt.qpa.plugin: Could not load the Qt platform plugin "xcb"\n'
    )
    assert telling(words) == "qt.qpa.xcb: could not connect to display :7"
    assert telling("one\ntwo\n") == "one"
    assert telling("") == ""


# ---- snapshots


def test_a_snapshot_never_overwrites(tmp_path: Path) -> None:
    pixels = np.zeros((9, 9, 3), np.uint8)
    said = {snapshots.keep(str(tmp_path / "new"), "gate", pixels) for _ in range(4)}
    assert len(said) == 4
    assert {Path(one.removeprefix("snapshot: ")) for one in said} == set((tmp_path / "new").iterdir())


def test_a_snapshot_that_finds_no_place_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = snapshots.keep(str(tmp_path / "file"), "gate", np.full((9, 9, 3), BLACK, np.uint8))
    assert said == f"no snapshot: {tmp_path / 'file'} cannot be written: file exists"
