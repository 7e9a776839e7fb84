"""An RTSP camera that nobody here wrote: GStreamer's server. Run by the system's python3, not the tests' one.

gst_camera.py [h264|h265|mjpeg|sound|reordered] [--digest USER:PASSWORD] [--tls PEM]
    prints `ready PORT`, serves rtsp://127.0.0.1:PORT/cam, or rtsps:// with the certificate and key in PEM
"""

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions are chosen before

X264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=800"
REORDERED = "x264enc speed-preset=ultrafast bframes=2 b-adapt=false rc-lookahead=5 key-int-max=15"
SOUND = "audiotestsrc is-live=true wave=silence ! audioconvert"
ENCODERS = {
    "h264": f"{X264} ! rtph264pay name=pay0 pt=96",
    "h265": f"{X264.replace('264', '265')} ! rtph265pay name=pay0 pt=96",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    # The sound is the first track, and the second.
    "sound": f"{X264} ! rtph264pay name=pay1 pt=96 {SOUND} ! alawenc ! rtppcmapay name=pay0 pt=8",
    "reordered": f"{REORDERED} ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96 "
    f"{SOUND} ! avenc_aac ! rtpmp4gpay name=pay1 pt=97",
}

parser = argparse.ArgumentParser()
parser.add_argument("codec", nargs="?", default="h264", choices=ENCODERS)
parser.add_argument("--digest")
parser.add_argument("--tls")
args = parser.parse_args()
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=15/1"
    f" ! videoconvert ! video/x-raw,format=I420 ! {ENCODERS[args.codec]} )"
)
factory.set_shared(True)
if args.digest:
    user, password = args.digest.split(":")
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", user)
    auth.add_digest(user, password, token)
    if args.tls:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(args.tls))
    server.set_auth(auth)
    may = "media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
    factory.add_role_from_structure(Gst.Structure.new_from_string(f"{user}, {may}"))
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print("ready", server.get_bound_port(), flush=True)
GLib.MainLoop().run()
