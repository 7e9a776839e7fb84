"""What is to be said of a source's pictures."""

from streamer.doctor.finding import Finding, fact, good, warning
from streamer.doctor.report import Report
from streamer.doctor.wording import codec_name, seconds
from streamer.sources.address import Kind
from streamer.sources.substreams import substream

NETWORK_PX = 640  # what networks look at unless told otherwise
LARGE_PX = 1920 * 1080
FAST_FPS = 30.5
FEW_FPS = 10.0  # of a USB camera
LONG_KEYFRAME_S = 4.0
BUSY_CORE = 0.5  # of one core, for reading and decoding one camera
_RATE_DIFFERS = 0.1  # a few seconds hold few pictures


def on_video(report: Report) -> list[Finding]:
    """The lines about the pictures themselves."""
    found = []
    if report.codec is not None:
        found.append(_codec(report))
    if report.size is not None:
        found.append(_size(report))
    if report.announced_fps or report.measured_fps:
        found.append(_rate(report))
    if report.bits_per_s:
        found.append(fact("bitrate", f"{report.bits_per_s / 1e6:.2f} Mbit/s"))
    if report.keyframes or report.no_keyframe_s:
        found.append(_keyframes(report))
    if report.b_frames is not None:
        found.append(_order(report))
    if report.interlaced:
        text = "interlaced: what moves has edges like a comb, and is recognised less well"
        found.append(warning("lines", text, "set the camera to progressive (p instead of i)"))
    if report.decode_s is not None and report.fps and report.codec:
        found.append(_decoding(report, report.decode_s, report.fps))
    if report.audio is not None:
        sound = ", ".join(codec_name(one) for one in report.audio)
        found.append(fact("sound", f"{sound}; it is not read" if sound else "none"))
    if report.duration_s and report.watched_s:
        length = seconds(report.duration_s)
        if report.watched_s < 0.95 * report.duration_s:
            length += f", {seconds(report.watched_s)} of it read"
        found.append(fact("length", length))
    return found


def _codec(report: Report) -> Finding:
    assert report.codec is not None
    text = " ".join(filter(None, (codec_name(report.codec), report.profile)))
    if report.codec == "hevc" and report.address.live:
        text += ": costs more to decode than H.264, and wrong bytes in it are noticed less often"
        return good("codec", text, "where the camera may choose, H.264 is the better one to look at")
    return good("codec", text)


def _size(report: Report) -> Finding:
    assert report.size is not None
    width, height = report.size
    text = f"{width}x{height}"
    if not report.address.live or report.address.kind is Kind.SYNTHETIC:
        return good("size", text)
    smaller = substream(report.address.redacted)
    where = f": {smaller} may be it" if smaller else ""
    if width * height > LARGE_PX:
        text += f": decoded in full, and looked at in {NETWORK_PX} pixels"
        if report.address.kind is Kind.USB:
            return warning("size", text, "ask for less: size: 1280x720")
        return warning("size", text, f"use the camera's substream{where}")
    if max(width, height) >= 2.5 * NETWORK_PX and report.address.kind.network:
        text += f", looked at in {NETWORK_PX} pixels"
        return good("size", text, f"a substream of 640 to 1280 pixels would cost less{where}")
    return good("size", text)


def _rate(report: Report) -> Finding:
    announced, measured = report.announced_fps, report.measured_fps
    text = f"{measured or announced or 0:.1f} pictures a second"
    if measured is None:
        text += ", as it says"
    elif report.address.live:
        text += f", over {seconds(report.watched_s)}"
    if announced and measured:
        text += f"; {announced:.4g} announced"
    if report.address.live and announced and measured and measured < (1 - _RATE_DIFFERS) * announced:
        advice = "in the dark cameras expose longer: look at exposure; then at bitrate and network"
        return warning("rate", text, advice)
    if too_few(report):
        plain = (
            "" if report.codec == "mjpeg" else "uncompressed pictures want a smaller size, or a USB 3 port: "
        )
        return warning("rate", text, f"{plain}try size: 640x480")
    if report.address.live and (report.fps or 0) > FAST_FPS:
        usb = report.address.kind is Kind.USB
        ways = "ask for fps: 30" if usb else "set the camera to 15 to 30"
        return good("rate", text, f"more than 30 cost time and show little more: {ways}")
    return good("rate", text)


def too_few(report: Report) -> bool:
    """True for a USB camera that was not granted more."""
    return report.address.kind is Kind.USB and 0 < (report.announced_fps or report.fps or 0) < FEW_FPS


def _keyframes(report: Report) -> Finding:
    every_s = report.keyframe_every_s
    live = report.address.live
    if every_s is None:
        text = "one" if report.keyframes == 1 else f"{report.keyframes or 'none'}"
        text += f" in {seconds(report.watched_s)}" if report.watched_s else ""
    elif report.keyframes_unclear:
        text = f"{seconds(report.no_keyframe_s)} apart or more"
    else:
        text = f"every {seconds(every_s)}"
    wait_s = max(every_s or 0, report.no_keyframe_s)
    if live and wait_s > LONG_KEYFRAME_S:
        text += f": after a break up to {seconds(wait_s)}{'' if every_s else ' or more'} without a picture"
        return warning("keyframes", text, "set the camera's keyframe (I-frame) interval to 1 to 2 s")
    if every_s is None:
        return fact("keyframes", text, "" if not live else "watch longer to see the interval: --for 20")
    return good("keyframes", text)


def _order(report: Report) -> Finding:
    if not report.b_frames:
        return good("B-frames", "none")
    if not report.address.live:
        return fact("B-frames", "yes")
    step = f" by {1000 / report.fps:.0f} ms or more" if report.fps else ""
    return warning("B-frames", f"yes: they delay every picture{step}", "switch them off in the camera")


def _decoding(report: Report, decode_s: float, fps: float) -> Finding:
    share = decode_s * fps
    text = f"{decode_s * 1000:.1f} ms of processor time a picture"
    if not report.address.live:
        return fact("decoding", text)
    text += f": {share:.0%} of a core"
    if share <= BUSY_CORE:
        return good("decoding", text)
    ways = "a substream, or fewer pictures a second"
    if not report.whole_pictures:
        ways = "a substream, fewer pictures a second, or decode: key"
    return warning("decoding", text, f"{'H.264 instead of H.265, ' if report.codec == 'hevc' else ''}{ways}")
