"""Where user name and password stand in what somebody typed, and whether it can be told where they end."""

import re

# How to write a password that reads as another address where it stands as it is.
TO_ENCODE = "percent-encode what is special: @ %40, / %2F, : %3A, ? %3F, # %23, % %25"

_BEFORE_PATH = re.compile(r"[^/?#]*")
_IPV4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_IP = rf"(?:{_IPV4}|\[[0-9A-Fa-f:.]+\])"
# No user with the beginning of a password ends like these: an IP address, or a name with dots and no port.
_SURELY_A_HOST = re.compile(rf"(?:.*@)?{_IPV4}(?::[0-9]*)?|{_IP}(?::[0-9]*)?|[\w-]+(?:\.[\w-]+)+\.?")
_HOST_AT_FIRST = re.compile(rf"{_IP}(?::[0-9]{{1,5}})?(?:/|$)|[A-Za-z][\w.-]*:[0-9]{{1,5}}/")
_SURELY_A_PATH = re.compile(r"\.{0,2}/(?!/)")


def ends_unclearly(text: str) -> bool:
    """Whether what is read as host and path of an address may be part of a password; `text` is behind ://.

    Of `user:pa/ss@host/x` the host would be `user`, of `user:p@ss/word@host/x` it would be `ss`.
    """
    before = _BEFORE_PATH.match(text)
    assert before is not None
    return "@" in text[before.end() :] and not _SURELY_A_HOST.fullmatch(before[0])


def scheme_forgotten(text: str) -> bool:
    """Whether a text that is no file begins as an address does behind its rtsp://."""
    if _SURELY_A_PATH.match(text):
        return False
    return _HOST_AT_FIRST.match(text) is not None or ":" in text.rpartition("@")[0]
