"""Real RTSP cameras out of clips, with faults on command: for tests, demonstrations and benchmarks.

clip.py       what is sent: access units with times      recording.py  how it is read from a file
encoding.py   how it is encoded where it must be         watermarking.py … with a watermark
camera.py     the live timeline that all clients share   faults.py     what it can be told to do wrong
rtp.py        packets                                    delivery.py   their way, over TCP or UDP
message.py    RTSP requests and replies                  gate.py, sdp.py, session.py   one client
server.py     all of it on one port
running.py    a server in a thread of its own (FakeCam) or until a signal comes (serve)
"""

from streamer.fakecam.running import FakeCam, serve

__all__ = ["FakeCam", "serve"]
