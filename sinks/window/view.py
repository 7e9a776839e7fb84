"""All tiles: which of them are shown and where, and how the whole of it is painted."""

import time
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sinks.overlay import BLACK, WHITE
from sinks.window import board, messages, snapshots
from sinks.window.board import Board
from sinks.window.layout import Cell, grid, shared_out
from sinks.window.lettering import cut, letter_for, lines, width_of, write
from sinks.window.messages import Tile, View, Wanted
from sinks.window.seen import Seen
from sinks.window.tile import AMBER, FAINT, GREY, bar_for, pad_for, paint

TICK_NS = 500_000_000  # numbers that change faster cannot be read
NOTE_NS = 2_000_000_000
SETTLED_NS = 500_000_000  # from another layout to pictures in it
KEYS = "q quit   f full screen   space pause   1…9 one camera   s snapshot"
NOTE_LINES = 4


class Wall:
    """What the window shows. Used by one thread."""

    def __init__(self, hung: Board) -> None:
        self._board = hung
        self._view = View("", 0, ".", "", 0)
        self._view_number = 0
        self._cameras: list[Seen] = []
        self._canvas = np.zeros((1, 1, 3), np.uint8)
        self._one: int | None = None  # the only camera that is shown
        self._paused_ns: int | None = None
        self._cells: dict[int, Cell] = {}
        self._laid_out: object = None  # what the cells were worked out from
        self._laid_out_ns = 0
        self._wanted = Wanted(0, (), paused=False)
        self._tick_ns = 0
        self._note, self._noted_ns = "", -NOTE_NS
        self._all = True  # everything is to be painted anew

    # ---- keys

    @property
    def one(self) -> int | None:
        """The only camera that is shown; None where all are."""
        return self._one

    def choose(self, number: int | None) -> None:
        """Show one camera; all of them where it is the one already, or None. Others are not there."""
        if number is None or number == self._one:
            self._one = None
        elif number < len(self._cameras):
            self._one = number

    def pause(self) -> None:
        """Keep what is shown, or go on. Nothing newer is hung up then; how cameras are is still said."""
        self._paused_ns = time.monotonic_ns() if self._paused_ns is None else None
        self._all = True

    def keep(self) -> None:
        """Write the whole view, as it is, into a file."""
        self._note = snapshots.keep(self._view.snapshots, "view", self._canvas)
        self._noted_ns = time.monotonic_ns()
        self._all = True

    # ---- what hangs on the board

    def read(self) -> None:
        """Look at all that is new there."""
        if (read := self._board.read(board.VIEW, self._view_number, messages.view)) is not None:
            before = self._view
            self._view_number, self._view = read
            self._cameras += [Seen() for _ in range(len(self._cameras), self._view.cameras)]
            self._all = True
            if self._view.noted_ns != before.noted_ns and self._view.note:
                self._note, self._noted_ns = self._view.note, self._view.noted_ns
        for number, camera in enumerate(self._cameras):
            taken = self._board.read(number, camera.number, partial(self._take, number))
            if taken is not None:
                camera.number, (tile, whole, pixels) = taken
                if whole:
                    camera.take(tile, pixels, time.monotonic_ns())
                else:
                    camera.take_words(tile)

    def _take(self, number: int, record: bytes) -> tuple[Tile, bool, NDArray[np.uint8] | None]:
        """A tile; whether all of it is to be shown; and its pixels, where they are new."""
        tile, camera = messages.tile(record), self._cameras[number]
        shot, old = tile.shot, camera.tile.shot if camera.tile else None
        if shot is None:
            return tile, old is None, None
        same = old is not None and old.index == shot.index
        if same and old is not None and old.generation == shot.generation:
            return tile, True, None
        if shot.generation != self._wanted.generation:  # its pixels are gone, those of another layout there
            return tile, same, None
        place = self._board.room(self._wanted.rooms, number, (shot.width, shot.height))
        return tile, True, camera.copied(place)

    # ---- the layout

    def lay_out(self, size: tuple[int, int]) -> Wanted | None:
        """Divide a view of this width and height. Returns what is wanted from now on, where that is new."""
        letter = letter_for(size[1])
        shown = range(len(self._cameras)) if self._one is None else [self._one]
        ratios = [self._cameras[number].ratio for number in shown]
        basis = (size, list(shown), ratios, self._paused_ns is None)
        if basis == self._laid_out:
            return None
        self._laid_out, self._laid_out_ns = basis, time.monotonic_ns()
        self._canvas = np.zeros((size[1], size[0], 3), np.uint8)
        self._all = True
        height = max(1, size[1] - bar_for(letter))
        self._cells = dict(zip(shown, grid((size[0], height), ratios, bar_for(letter)), strict=True))
        rooms = [(0, 0)] * len(self._cameras)
        for number, cell in self._cells.items():
            rooms[number] = cell.width, max(0, cell.height - bar_for(letter))
        wanted = shared_out(rooms, board.MOST_PIXELS)
        generation = self._wanted.generation + (wanted != self._wanted.rooms)
        self._wanted = Wanted(generation, wanted, paused=self._paused_ns is not None)
        return self._wanted

    # ---- the picture

    def painted(self) -> NDArray[np.uint8] | None:
        """The whole view, (H, W, 3) uint8 BGR, as it is now; None where nothing has changed."""
        now_ns = time.monotonic_ns()
        letter = letter_for(self._canvas.shape[0])
        ticked = now_ns - self._tick_ns >= TICK_NS
        if ticked:
            self._tick_ns = now_ns
            for camera in self._cameras:
                camera.count(now_ns)
        if self._all:
            self._canvas[:] = 0
        changed = self._all or ticked
        awaited = self._paused_ns is None and now_ns - self._laid_out_ns > SETTLED_NS
        for number, cell in self._cells.items():
            camera = self._cameras[number]
            if not (self._all or ticked or camera.changed):
                continue
            look = camera.look(number + 1, self._view.mode, self._tick_ns, awaited=awaited)
            if look is None or (look == camera.painted and not camera.changed and not self._all):
                continue
            part = self._canvas[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width]
            paint(part, look, camera.pixels, letter)
            camera.painted, camera.changed, changed = look, False, True
        if not changed:
            return None
        if self._all:
            self._paint_foot(letter)
        self._all = False
        return self._with_words(letter, now_ns)

    def _paint_foot(self, letter: int) -> None:
        foot = self._canvas[-bar_for(letter) :]
        foot[:] = GREY
        pad = pad_for(letter)
        room = foot.shape[1] - 2 * pad
        mode = self._view.mode
        keys = KEYS if self._one is None else KEYS.replace("1…9 one camera", "0 all cameras")
        write(foot, (pad, pad), cut(mode, room, letter), letter, WHITE)
        taken = width_of(mode, letter) + 2 * letter
        write(foot, (pad + taken, pad), cut(keys, room - taken, letter), letter, FAINT)

    def _with_words(self, letter: int, now_ns: int) -> NDArray[np.uint8]:
        """What lies over all tiles, on a copy: that it is paused, and what is to be said for a moment."""
        said = []
        if self._paused_ns is not None:
            away = (now_ns - self._paused_ns) // 1_000_000_000
            said.append(f"PAUSED for {away} s; space goes on")
        if 0 <= now_ns - self._noted_ns < NOTE_NS:
            said.append(self._note)
        if not said:
            return self._canvas
        canvas = self._canvas.copy()
        bar, pad, width = bar_for(letter), pad_for(letter), canvas.shape[1]
        texts = [line for text in said for line in lines(text, width - 4 * pad, letter, NOTE_LINES)]
        top = max(0, canvas.shape[0] - bar * (len(texts) + 1) - pad)
        across = min(width, max(width_of(text, letter) for text in texts) + 4 * pad)
        left = (width - across) // 2
        canvas[top : top + bar * len(texts), left : left + across] = AMBER
        for line, text in enumerate(texts):
            x = left + (across - width_of(text, letter)) // 2
            write(canvas, (x, top + line * bar + pad), text, letter, BLACK)
        return canvas
