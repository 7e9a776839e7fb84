"""Amounts and names as people read them."""

_CODECS = {
    "h264": "H.264",
    "hevc": "H.265",
    "mjpeg": "MJPEG",
    "mpeg4": "MPEG-4",
    "av1": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "vvc": "H.266",
    "pcm_mulaw": "PCMU",
    "pcm_alaw": "PCMA",
    "aac": "AAC",
    "mpeg4-generic": "AAC",
    "mp4a-latm": "AAC",
    "opus": "Opus",
    "mp3": "MP3",
}


def codec_name(name: str) -> str:
    """FFmpeg's or RTP's name as it stands on a camera's page."""
    return _CODECS.get(name.lower(), name)


def seconds(value: float) -> str:
    """A duration, as exact as it is of use."""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms" if value >= 0.001 else "1 ms"
    return f"{value:.2f} s" if value < 2 else f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def far(offset_s: float) -> str:
    """How far a clock is before or behind ours."""
    size = abs(offset_s)
    if size < 0.0005:
        return "as ours"
    units = ((31_557_600, "years"), (86_400, "days"), (3600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
    length, name = next(one for one in units if size >= one[0] or one[0] == 0.001)
    return f"{size / length:.3g} {name} {'ahead of' if offset_s > 0 else 'behind'} ours"


def size_of(bytes_: float) -> str:
    """Bytes, in thousands."""
    for unit in ("B", "kB", "MB", "GB"):
        if bytes_ < 1000:
            return f"{bytes_:.0f} {unit}" if unit == "B" or bytes_ >= 100 else f"{bytes_:.1f} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.1f} TB"


def amount(count: int, thing: str) -> str:
    """`1 picture`, `3 pictures`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
