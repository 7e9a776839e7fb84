"""The configuration as text: what was found is told in comments, so that it can be judged and changed."""

import json
import math
import shlex
from collections.abc import Sequence
from datetime import date

import yaml

from streamer.assets import cached, find
from streamer.doctor.report import Report
from streamer.onvif.markup import plain
from streamer.setup.choosing import NETWORK_PX
from streamer.setup.credentials import Variables, escaped
from streamer.setup.offers import CODECS, Camera, Offer, Taken
from streamer.setup.wishes import MODEL
from streamer.sources.redaction import redact

_WIDTH = 100

_SINKS = {
    "window": ["# What is seen, in a window; q ends it.", "- use: window"],
    "jsonl": [
        "# One JSON message a line. Paths count from the folder that this file is in.",
        "- use: jsonl",
        "  path: detections.jsonl",
    ],
    "zmq": [
        "# Messages to any number of programs on this machine: freshframe listen tcp://127.0.0.1:5555",
        "- use: zmq",
        "  endpoint: tcp://127.0.0.1:5555",
    ],
    "video": [
        "# What is seen, with boxes drawn; {camera} stands for the camera's name. It grows for ever.",
        "- use: video",
        '  path: "{camera}.mp4"',
    ],
}


def page(
    cameras: Sequence[Taken],
    classes: Sequence[str] | None,
    sinks: Sequence[str],
    variables: Variables,
    file: str,
) -> str:
    """The whole file. `variables` knows afterwards which ones have to be set."""
    bodies = [_camera(taken, variables) for taken in cameras]
    lines = [f"# Written by `freshframe init` on {date.today().isoformat()}; it is yours to change.", "#"]
    lines += [f"#   {step}" for step in steps(variables, file)]
    if variables.needed:
        lines += [
            "#",
            "# ${NAME} is replaced from the environment, so that no password stands in this file.",
        ]
    lines += [
        "",
        f"# What recognises, in {NETWORK_PX} pixels. `freshframe models list` shows what else there is.",
    ]
    lines += ["model:", f"  name: {MODEL}"]
    if classes is None:
        lines += ["  # classes: [person, car]  would report these only, of the 80 kinds that it knows"]
    else:
        lines += [
            "  # What is reported, of the 80 kinds that it knows; leave it out for all.",
            f"  classes: [{_flow(classes)}]",
        ]
    lines += ["", "# Each camera under a name of your own: letters, digits, _ and -.", "cameras:"]
    for body in bodies:
        lines += [f"  {line}" if line else "" for line in body]
    lines += ["# Where results go.", "sinks:"]
    for sink in sinks:
        lines += [f"  {line}" for line in _SINKS[sink]]
    return "\n".join(lines) + "\n"


def steps(variables: Variables, file: str) -> list[str]:
    """What is to be typed from here on."""
    lines = []
    for one in variables.needed:
        if one.known:
            lines.append(f"export {one.name}=…    # {one.what}, as you have it set now")
        else:
            lines.append(f"# {one.what}: it waits for you to type it")
            ask = f"export {one.name}=$({_ENCODE})"
            lines.append(ask if one.encoded else f"IFS= read -rs {one.name} && export {one.name}")
    if cached(find(MODEL)) is None:
        lines.append(f"freshframe models pull {MODEL}")
    return [*lines, f"freshframe check {shlex.quote(file)}", f"freshframe run {shlex.quote(file)}"]


_ENCODE = "python3 -c 'from getpass import *; from urllib.parse import *; print(quote(getpass(), safe=\"\"))'"


def _camera(taken: Taken, variables: Variables) -> list[str]:
    camera, offer = taken.camera, taken.offer
    lines = [f"# {_told(camera.about)}"]
    if len(camera.offers) > 1:
        lines += ["# What it has:", *_table(camera, offer)]
    lines += [f"# {line}" for line in _wrapped(taken.why)]
    lines += [f"# {line}" for line in _wrapped(tried(taken))]
    lines.append(f"{_plain(camera.name)}:")
    lines.append(f"  source: {_plain(variables.written(offer, camera.login, camera.name))}")
    if offer.address.kind.local:
        lines.append(
            "  live: true # in real time, as a camera would; leave it out to have every frame looked at"
        )
    return [*lines, ""]


def tried(taken: Taken) -> str:
    """What came of trying it, in a sentence."""
    report = taken.report
    if not report.ok:
        return f"When this was written it gave no picture: {_told(why_none(report))}"
    return f"Tried: {taken.offer}{_keyframes(report)}."


def why_none(report: Report) -> str:
    """Why no picture came."""
    return str(report.failure).removeprefix(f"{report.address.redacted}: ") if report.failure else "none came"


def _keyframes(report: Report) -> str:
    unclear = report.keyframes_unclear or not report.keyframe_every_s
    return "" if unclear else f", a keyframe every {report.keyframe_every_s:.2g} s"


def _table(camera: Camera, taken: Offer) -> list[str]:
    rows = [
        (
            _told(one.name)[:30] or "-",
            "{}x{}".format(*one.size) if one.size else "?",
            CODECS.get(one.codec or "", one.codec or "?"),
            f"{one.fps:.3g} fps" if one.fps else "?",
            "  <- this one" if one is taken else "",
        )
        for one in camera.offers
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return [
        "#   "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        + row[4]
        for row in rows
    ]


def _told(text: str) -> str:
    """Somebody else's words, fit for a comment."""
    return plain(redact(text))[:200]


def _plain(text: str) -> str:
    """A value, in quotes where YAML wants them."""
    written: str = yaml.safe_dump(text, width=math.inf, allow_unicode=True)
    return written.removesuffix("\n").removesuffix("\n...")


def _flow(names: Sequence[str]) -> str:
    return ", ".join(
        _plain(name) if name.replace(" ", "").isalnum() else json.dumps(escaped(name)) for name in names
    )


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= _WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [line for line in lines if line]
