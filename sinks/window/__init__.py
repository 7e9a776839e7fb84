"""The live window: all cameras as a grid, at the cameras' own rate, with what was seen in them.

sink.py      the sink: frames, results and health come   child.py      what runs in the other process
watched.py   one camera: what is newest of it            seen.py       the same as the window sees it
carrying.py  where boxes are by now                      view.py       all tiles: which are shown, and how
hanging.py   pictures, in the size that is shown         tile.py       one of them: its bar, its picture
board.py     memory in which the newest hangs            layout.py     how a view is divided
process.py   starting, hearing, ending the process       wording.py, lettering.py   what a tile says
messages.py  what the two tell each other                pane.py       the window itself, OpenCV's
display.py   is there a display?                         snapshots.py  pictures that somebody keeps

The window lives in the main thread of a process of its own, for its library ends the process where the
display is missing or vanishes. See docs/decisions/0013-the-window-is-a-process.md.
"""

from sinks.window.sink import Window

__all__ = ["Window"]
