"""Webcams and other cameras of this computer, read by OpenCV.

source.py     the source: open, ask, hand over, notice that it is gone
asking.py     what is asked of a camera, what it grants, and what that means
rate.py       how many pictures really come
raw.py        a picture as the camera sends it, converted when somebody looks
jpeg.py       whether a JPEG is whole
capture.py    OpenCV's VideoCapture, with a wait that ends
system.py     what the source needs of the system it runs on
v4l2.py       Linux: which device, that it is still the same one, and why it cannot be read
cameras.py    Linux: what cameras there are, and what tells one from another
driver.py     Linux: what the driver and the system say of a device
elsewhere.py  macOS and others: cameras by number

Listing cameras loads no library.
"""

from streamer.sources.usb.cameras import Camera, Identity, alike, cameras

__all__ = ["Camera", "Identity", "alike", "cameras"]
