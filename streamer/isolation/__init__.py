"""A camera's decoder in a process of its own, its pictures in shared memory.

source.py       the source that the camera's loop sees    child.py        what runs in the other process
connection.py   what the child says of one connection     outbox.py       its pictures on their way out
checking.py     what a picture's message may say          deaths.py       when it is started again
allowance.py    how often it may                          confinement.py  what it may not do
process.py      starting and ending it                    starting.py     … in one thread, one ahead
channel.py      messages through a socket pair            messages.py     what they say
segment.py      slots in shared memory, oldest first      planes.py       a picture into a slot and out of it

The socket carries a message of some 60 bytes for each picture; pixels go through the slots. The child never
waits for its parent: a slot that is read too late has been overwritten, and the reader is told so (Stale).
"""

from streamer.isolation.source import Isolated

__all__ = ["Isolated"]
