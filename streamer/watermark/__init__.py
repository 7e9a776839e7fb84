"""The watermark clock: from any picture one reads which one it is, and so how old it really is.

mark.py      what a watermark says               cells.py     a mark as black and white cells
layout.py    where the cells lie                 painting.py  into a picture
reading.py   out of a picture                    sent.py      when a test camera sent which picture
sighting.py  what was seen where and when        account.py   what there is to say about it, camera by camera
"""

from streamer.watermark.layout import layout_of
from streamer.watermark.mark import Mark, painted_time_ns
from streamer.watermark.painting import paint, paint_yuv420
from streamer.watermark.reading import Reading, read

__all__ = ["Mark", "Reading", "layout_of", "paint", "paint_yuv420", "painted_time_ns", "read"]
