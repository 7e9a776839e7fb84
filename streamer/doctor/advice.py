"""What a look at a source means, in lines; each thing that should be otherwise with what to do."""

from streamer.doctor.finding import Finding, Section, fact, good, problem, warning
from streamer.doctor.report import Report
from streamer.doctor.video_advice import on_video
from streamer.doctor.wording import amount, far, seconds
from streamer.errors import Cause
from streamer.sources.address import Kind

SLOW_CONNECT_S = 3.0
CLOCK_OFF_S = 1.0
JITTER_S = 0.05

_NETWORK = {
    Cause.AUTH: "look at user name and password (written out in an address, @ is %40); "
    "after several wrong ones many cameras lock the account for minutes",
    Cause.NOT_FOUND: "look the path up in the camera's manual, or let `freshframe init` ask it by ONVIF",
    Cause.CODEC: "set the camera's video to H.264 or H.265",
    Cause.NETWORK: "is the camera on, is this its address, and is the service switched on in it? Try `ping`",
    Cause.SILENCE: "start the camera anew, close other viewers, and look at the network between",
    Cause.ENDED: "close other viewers: some cameras allow only a few",
    Cause.LATE: "lower the bitrate in the camera, or use its substream",
    Cause.DAMAGED: "look at the network between, and use transport: tcp",
    Cause.CRASH: "run `freshframe doctor`: a library may be broken",
}
_FILE = {
    Cause.AUTH: "look at who may read it",
    Cause.NOT_FOUND: "look at the path; relative ones count from the working directory",
    Cause.CODEC: "convert it to H.264 in MP4",
    Cause.ENDED: "copy it anew",
    Cause.DAMAGED: "copy it anew; what is whole of it is read as far as it goes",
}
_USB = {
    Cause.DEVICE: "plug it in, and close other programs that hold it",
    Cause.NOT_FOUND: "plug it in; `freshframe doctor` lists the USB cameras that are there",
    Cause.NETWORK: "close other programs that hold it, and plug it in again",
    Cause.SILENCE: "close other programs that hold it, plug it in again, without a hub",
    Cause.AUTH: "this user may not open it: usually it has to be in the group video",
    Cause.CODEC: "no picture comes in a form that can be read: try a smaller size",
}


def sections(report: Report) -> tuple[Section, ...]:
    """The lines about a source, as far as it was seen."""
    found = [Section("Connection" if report.address.live else "File", tuple(_connection(report)))]
    if report.codec or report.pictures:
        found.append(Section("Video", tuple(on_video(report))))
    if report.packets > 1 and report.address.live:
        found.append(Section("Timing", tuple(_timing(report))))
    return tuple(found)


def _connection(report: Report) -> list[Finding]:
    found = []
    if report.connect_s is not None:
        found.append(_connected(report))
    if report.failure is not None:
        name = "ended" if report.failure.cause is Cause.ENDED else "failed"
        text = str(report.failure).removeprefix(f"{report.address.redacted}: ")
        found.append(problem(name, text, what_to_do(report, report.failure.cause)))
    elif report.ended:
        text = f"the stream ended by itself after {seconds(report.watched_s)}"
        found.append(warning("ended", text, "look for a time limit for viewers in the camera or server"))
    if report.transport is not None:
        found.append(_transport(report))
    if report.damaged and not report.lost:
        text = (
            f"{report.damaged} of {amount(report.pictures, 'picture')} are of data that is missing or wrong"
        )
        found.append(warning("damaged", text, what_to_do(report, Cause.DAMAGED)))
    if report.read_by == "ffmpeg" and report.address.kind in (Kind.RTSP, Kind.RTSPS):
        found.append(fact("read by", "FFmpeg: what it sends is not what we read by ourselves"))
    return found


def _connected(report: Report) -> Finding:
    assert report.connect_s is not None
    text = f"in {seconds(report.connect_s)}"
    if report.first_picture_s is not None:
        text += f"; first picture after {seconds(report.first_picture_s)}"
    name = "connected" if report.address.live else "opened"
    if report.connect_s > SLOW_CONNECT_S:
        advice = "after each outage its pictures come that much later: is the camera overloaded?"
        return warning(name, text, advice)
    return good(name, text)


def what_to_do(report: Report, cause: Cause) -> str:
    """The advice for a source that failed so."""
    kind, failure = report.address.kind, report.failure
    if failure is not None and failure.cause is cause and failure.advice:
        return failure.advice
    if cause is Cause.AUTH and kind.network and "@" not in report.address.redacted:
        return (
            "write USER:${PASSWORD}@ before the host, the address in single quotes, and set PASSWORD in the "
            "environment"
        )
    table = _NETWORK if kind.network else _USB if kind is Kind.USB else _FILE
    return table.get(cause, "run `freshframe doctor` without a source: something here may be broken")


def _transport(report: Report) -> Finding:
    if report.lost is None:
        return fact("transport", report.transport or "")
    if not report.lost:
        return good("transport", f"{report.transport}, no packet was lost")
    text = f"{report.transport}, {amount(report.lost, 'packet')} never came"
    if report.damaged:
        text += f", {amount(report.damaged, 'picture')} damaged"
    if report.transport == "udp":
        return warning("transport", text, "use transport: tcp, where none are lost")
    advice = "the camera itself drops them: lower its bitrate, or look at its network"
    return warning("transport", text, advice)


def _timing(report: Report) -> list[Finding]:
    found = []
    if report.stamps_off:
        text = "its time stamps do not run in real time"
        camera = report.address.kind in (Kind.RTSP, Kind.RTSPS)
        advice = "ages and `late` mean nothing here: look for new firmware"
        recording = "is this a recording? Then fetch it, and give the file"
        found.append(warning("stamps", text, advice if camera else recording))
    if report.jitter_s is not None:
        text = f"{report.jitter_s * 1000:.1f} ms"
        if report.jitter_s > JITTER_S:
            text += ": pictures come irregularly"
            found.append(warning("jitter", text, "a cable instead of Wi-Fi, or a lower bitrate"))
        else:
            found.append(good("jitter", text))
    if report.address.kind in (Kind.RTSP, Kind.RTSPS):
        found.append(_clock(report))
    return found


def _clock(report: Report) -> Finding:
    offset_s = report.clock_offset_s
    if offset_s is None:
        return fact("clock", f"the camera said nothing of its clock in {seconds(report.watched_s)}")
    text = f"the camera's is {far(offset_s)}"
    if abs(offset_s) > CLOCK_OFF_S:
        return warning("clock", text, "set an NTP server in the camera, and look at this machine's clock")
    return good("clock", text)
