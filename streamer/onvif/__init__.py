"""ONVIF cameras: found on the network, and asked which streams they have. Nothing of them is changed.

interfaces.py  which networks this machine is on
matching.py    the messages of WS-Discovery      discovery.py  sending the question, collecting answers
places.py      addresses that a camera tells     markup.py     XML from strangers
soap.py        requests and faults               exchange.py   one request over HTTP, bounded
login.py       user name and password            device.py     who it is and what services it has
media.py       its profiles and their addresses

All that comes from a camera is taken to be hostile. Only the host that answered is ever talked to.
"""

from streamer.onvif.device import Device
from streamer.onvif.discovery import Search, search
from streamer.onvif.interfaces import Interface, chosen, interfaces
from streamer.onvif.login import Login
from streamer.onvif.matching import Answer
from streamer.onvif.media import Profile, profiles
from streamer.onvif.places import device_url

__all__ = [
    "Answer",
    "Device",
    "Interface",
    "Login",
    "Profile",
    "Search",
    "chosen",
    "device_url",
    "interfaces",
    "profiles",
    "search",
]
