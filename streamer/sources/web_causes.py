"""What a web server answers instead of video, in a sentence."""

from streamer.errors import Cause, SourceError
from streamer.sources.address import Address


def named_instead(address: Address, kind: str) -> SourceError | None:
    """A web server answers with what is no video, and says what it is; None where that is no help."""
    kinds = {
        "text/html": "a web page (text/html): give the address of the video in it",
        "image/jpeg": "a single picture (image/jpeg): give the address of the camera's video",
    }
    if kind not in kinds:
        return None
    return SourceError(Cause.NOT_FOUND, f"{address.redacted}: answers with {kinds[kind]}")


def compressed(address: Address, coding: str) -> SourceError:
    """Motion JPEG inside of a compression that we have not asked for."""
    what = f"compresses its pictures ({coding}), though it was asked not to: switch that off in the server"
    advice = "look for compression (gzip) in the settings of the web server, and of a proxy before it"
    return SourceError(Cause.CODEC, f"{address.redacted}: {what}, or in what stands before it", advice)


def refused(address: Address, *, given: bool, ours: bool, known: bool) -> SourceError:
    """A web server wants a login, or another one.

    `given`: the address has one, which was sent where it is `ours` to send there, and its way is `known`.
    """
    text = "user name or password was refused (401)"
    if not known:
        text = (
            "asks for the password in a way that is not known here (401); known are Basic and Digest (MD5, "
            "SHA-256, qop=auth)"
        )
    elif not given:
        text = "asks for a user name and a password (401)"
    elif not ours:
        text = "sends us to another host, which asks for a password (401): it is told to the first one only"
    return SourceError(Cause.AUTH, f"{address.redacted}: {text}")


def sent_astray(address: Address, status: int) -> SourceError:
    """A web server sends us to what is no web server, or from https to http."""
    what = f"sends us elsewhere ({status}), and not where we may go: http:// and https:// only, and from "
    return SourceError(Cause.NOT_FOUND, f"{address.redacted}: {what}https:// never to http://")


def sent_on(address: Address, status: int) -> SourceError:
    """A web server sends us to where there is nothing either: in a circle, mostly."""
    what = (
        f"sends us elsewhere ({status}), again and again or to where nobody answers: open the address in a "
    )
    what += "browser, and give the one where the video is"
    return SourceError(Cause.NETWORK, f"{address.redacted}: {what}")


def headless(address: Address) -> SourceError:
    """A web server sends headers and no body, for ever."""
    return SourceError(Cause.NETWORK, f"{address.redacted}: answers with a head that has no end")
