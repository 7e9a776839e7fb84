"""A bad network on purpose: a seeded proxy between a camera (or any TCP server) and its client.

impairment.py  what is done                      luck.py         what it does to one packet
bucket.py      the rate                          link.py         what all connections share
stream.py      the way of a TCP connection       datagrams.py    the way of UDP packets
rtsp.py        RTSP taken apart                  detour.py       its media led through here
track.py       a pair of UDP ports               connection.py   one client
way.py         one direction of it
callers.py     clients over TCP                  senders.py      clients over UDP
target.py      where it leads                    proxy.py        all of it on one port
commands.py    what the control connection takes
running.py     a proxy in a thread of its own (Impaired) or until a signal comes (serve)
"""

from streamer.impair.impairment import Impairment
from streamer.impair.proxy import Proxy
from streamer.impair.running import Impaired, serve

__all__ = ["Impaired", "Impairment", "Proxy", "serve"]
