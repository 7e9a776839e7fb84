"""An RTSP camera that nobody here wrote: GStreamer's server. Run by the system's python3, not the tests' one.

gst_camera.py [h264|h265|mjpeg]    prints `ready PORT`, serves rtsp://127.0.0.1:PORT/cam
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions are chosen before the import

X264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=800"
ENCODERS = {
    "h264": f"{X264} ! rtph264pay name=pay0 pt=96",
    "h265": f"{X264.replace('264', '265')} ! rtph265pay name=pay0 pt=96",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}

codec = sys.argv[1] if len(sys.argv) > 1 else "h264"
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=15/1"
    f" ! videoconvert ! video/x-raw,format=I420 ! {ENCODERS[codec]} )"
)
factory.set_shared(True)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print("ready", server.get_bound_port(), flush=True)
GLib.MainLoop().run()
