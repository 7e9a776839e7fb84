"""Real RTSP cameras out of clips, with faults on command: for tests, demonstrations and benchmarks.

clip.py       what is sent: access units with times      recording.py    how it is read from a file
encoding.py   how it is encoded where it must be         watermarking.py … with a watermark
film.py       a clip of the synthetic scene

camera.py     the live timeline that all clients share   reel.py         which picture is next on it
pace.py       the clock it runs by                       journal.py      the log of what was sent
rtp.py        packets                                    stamping.py     their numbers and times
audience.py   who gets them                              delivery.py     their way, over TCP or UDP

message.py    RTSP requests and replies                  gate.py, sdp.py, transport.py: what is in them
session.py    one client                                 outlet.py       all that is sent to it
server.py     all of it on one port
running.py    a server in a thread of its own (FakeCam) or until a signal comes (serve)

faults.py     what can be wrong with a camera            commands.py     the words that bring it about
tampering.py  … with its packets                         looks.py        … with its pictures
studio.py     where such pictures are made
"""

from streamer.fakecam.running import FakeCam, serve

__all__ = ["FakeCam", "serve"]
