"""What DESCRIBE answers: the stream in SDP (RFC 4566) with H.264's parameters (RFC 6184 section 8)."""

import base64

from streamer.fakecam.clip import Clip
from streamer.fakecam.rtp import PAYLOAD_TYPE

CONTROL = "trackID=0"


def describe(name: str, clip: Clip, codec: str | None = None) -> str:
    """The description; with another `codec` than the clip's it is a lie, and says no more about it."""
    sets = ",".join(base64.b64encode(nal).decode() for nal in (clip.sps, clip.pps))
    profile = clip.sps[1:4].hex().upper()
    format_lines = [
        f"a=rtpmap:{PAYLOAD_TYPE} H264/90000",
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}",
    ]
    lines = [
        "v=0",
        "o=- 0 0 IN IP4 0.0.0.0",
        f"s={name}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        *(format_lines if codec is None else [f"a=rtpmap:{PAYLOAD_TYPE} {codec}/90000"]),
        f"a=framerate:{float(1 / clip.interval):.3f}",
        f"a=control:{CONTROL}",
    ]
    return "\r\n".join(lines) + "\r\n"
