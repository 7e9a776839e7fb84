"""A configuration for a source, ready to be pasted."""

import json
import re

from streamer.doctor.report import Report
from streamer.doctor.video_advice import FAST_FPS, LARGE_PX, LONG_KEYFRAME_S, too_few
from streamer.sources.address import Kind
from streamer.sources.redaction import HIDDEN
from streamer.sources.substreams import substream

FULL_CORE = 0.9  # one camera is decoded on one core: more does not fit
_PARAMETER = re.compile(rf"([\w.-]+)={re.escape(HIDDEN)}")


def settings(report: Report) -> str | None:
    """YAML for `freshframe run`, with a comment where something is other than usual; None for recordings.

    Holds no password: where there is one, a variable of the environment stands for it.
    """
    address = report.address
    if not address.live or not report.ok or address.kind is Kind.SYNTHETIC:
        return None
    lines = ["cameras:", f"  {address.name}:", *(f"    {line}" for line in _camera(report))]
    return "\n".join(lines) + "\n"


def _camera(report: Report) -> list[str]:
    address, size = report.address, report.size or (0, 0)
    source = _with_variables(address.redacted, _variable(address.name))
    lines = []
    lines.append(f"source: {_quoted(source)}")
    smaller = substream(source) if size[0] * size[1] > LARGE_PX else None
    if smaller:
        lines.append(
            "# a guess at its substream, which is better to look at; try it with `freshframe doctor`:"
        )
        lines.append(f"# source: {_quoted(smaller)}")
    if report.transport is not None:
        lost = report.transport == "udp" and report.lost
        why = f"tcp  # {report.lost} packets were lost over udp" if lost else report.transport
        lines.append(f"transport: {why}")
    if report.read_by == "ffmpeg":
        lines.append("isolation: process  # FFmpeg reads it: what a broken stream does to it stays there")
    fps = report.fps or 0
    if too_few(report):
        lines.append(f"size: 640x480  # {fps:.0f} a second came at {size[0]}x{size[1]}")
    elif address.kind is Kind.USB and fps > FAST_FPS:
        lines.append(f"fps: 30  # {fps:.0f} come")
    if report.decode_s and report.decode_s * fps > FULL_CORE:
        every_s = report.keyframe_every_s
        if every_s is not None and every_s < LONG_KEYFRAME_S and not report.whole_pictures:
            why = f"all of it takes {report.decode_s * fps:.0%} of a core"
            lines.append(f"decode: key  # {why}; this is a look every {every_s:.1f} s")
    return lines


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _variable(name: str) -> str:
    text = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "CAMERA"
    return f"CAM_{text}" if text[0].isdigit() else text


def _with_variables(redacted: str, name: str) -> str:
    text = redacted.replace("$", "$$").replace(f"//{HIDDEN}@", f"//${{{name}_USER}}:${{{name}_PASSWORD}}@", 1)
    text = _PARAMETER.sub(lambda found: f"{found[1]}=${{{name}_{_variable(found[1])}}}", text)
    return text.replace(HIDDEN, f"${{{name}_PATH}}")
