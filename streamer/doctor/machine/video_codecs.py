"""What the FFmpeg in PyAV decodes."""

from streamer.doctor.finding import Section, fact, good, problem
from streamer.doctor.machine.libraries import Loaded
from streamer.doctor.wording import codec_name

NEEDED = ("h264", "hevc", "mjpeg")


def section(loaded: Loaded) -> Section:
    said = loaded.of("av")
    if "decoders" not in said:
        return Section("Codecs", (fact("FFmpeg", "cannot be asked: av does not load"),))
    decoders, hardware = said["decoders"], said.get("hardware", {})
    names = ", ".join(codec_name(name) for name in decoders)
    found = [
        good("decoded", f"{names} (FFmpeg {said.get('ffmpeg') or 'of unknown version'}, on the processor)")
    ]
    for name in NEEDED:
        if name not in decoders:
            text = f"the FFmpeg in av has no decoder for {codec_name(name)}"
            found.append(
                problem(codec_name(name), text, "pip install --force-reinstall av: its wheels have them all")
            )
    kinds = sorted({kind for names in hardware.values() for kind in names})
    compiled = f"{', '.join(kinds)} compiled in" if kinds else "none compiled in"
    found.append(fact("hardware", f"{compiled}; Freshframe decodes on the processor"))
    return Section("Codecs", tuple(found))
