"""What of each camera is wanted: classes, scores, a part of the picture.

    polygon.py  is it one? does it cross itself?
    region.py   polygons in a picture: what stands in them, and the rectangle round them
    looking.py  one camera's wishes, as a value
    sieve.py    detections → those that are wanted

Cameras that want different things of the same network share it, and its batches: the network is asked for
all that any of them wants, and what one of them does not want is taken out afterwards.
"""

from streamer.looking.looking import EVERYTHING, Looking
from streamer.looking.region import Region
from streamer.looking.sieve import Sieve, check_known, unknown

__all__ = ["EVERYTHING", "Looking", "Region", "Sieve", "check_known", "unknown"]
