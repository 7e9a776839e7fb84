"""What to do about a source that gives nothing."""

from streamer.doctor.report import Report
from streamer.errors import Cause
from streamer.sources.address import Kind

_NETWORK = {
    Cause.AUTH: "look at user name and password (special characters percent-encoded: %40 for @); "
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


def what_to_do(report: Report) -> str:
    """In one line, for the kind of source and the cause."""
    assert report.failure is not None
    kind, cause = report.address.kind, report.failure.cause
    table = _NETWORK if kind.network else _USB if kind is Kind.USB else _FILE
    return table.get(cause, "run `freshframe doctor` without a source: something here may be broken")
