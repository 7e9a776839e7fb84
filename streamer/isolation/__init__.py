"""A camera's decoder in a process of its own, its pictures in shared memory.

source.py       the source that the camera's loop sees    child.py        what runs in the other process
process.py      starting and ending it                    confinement.py  what it may not do
channel.py      messages through a socket pair            messages.py     what they say
segment.py      slots in shared memory, oldest first      planes.py       a picture into a slot and out of it

The socket carries a message of some 60 bytes for each picture; pixels go through the slots. The child never
waits for its parent: a slot that is read too late has been overwritten, and the reader is told so (Stale).
"""

from streamer.isolation.source import Isolated

__all__ = ["Isolated"]
