"""A camera: its source is read, again and again; its pictures become frames; how it is, is said.

camera.py    the public face, and the loop that never enters native code
reader.py    one connection, in a thread of its own
tally.py     where the two meet
standing.py  how the camera stands, and that it is said
intake.py    a picture becomes a frame, or is left out
pictures.py  what is wrong with its pictures now
watching.py  when a reader is silent, and when it hangs: the limits, without a thread
arenas.py    memory that lost connections leave behind
backoff.py   how long to wait before it is tried again
"""

from streamer.camera.camera import Camera
from streamer.camera.pictures import PictureWatch

__all__ = ["Camera", "PictureWatch"]
