"""OpenCV on one thread: everybody here imports `cv2` from this module.

By default it splits each picture over all cores, whose threads then look for more work in vain: cameras
have threads of their own, and the network wants the other cores. And where it may have several, it keeps
864 bytes of each thread that ever called it, for good (seen with 5.0.0): cameras that come and go bring
threads by the thousand.
"""

import cv2

__all__ = ["cv2"]

cv2.setNumThreads(1)
