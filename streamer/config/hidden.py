"""What may be shown of a value that somebody wrote: never a password."""

import re

from streamer.sources.redaction import HIDDEN as MASK
from streamer.sources.redaction import nearly_an_address as redacted

__all__ = ["MASK", "names_a_secret", "redacted", "secret_beside_a_variable", "shown"]

_SHOWN_CHARACTERS = 60

_SECRET_KEY = re.compile(r"pass|pwd|token|secret|key|auth|credential|curve", re.IGNORECASE)

# Narrower than what is hidden when it is shown: a user's name may stand there.
_SECRET_PARAMETER = re.compile(r"(?:pass|pwd|secret|token|credential)[\w.-]*=([^&#]*)", re.IGNORECASE)


def names_a_secret(key: str) -> bool:
    """True where a key's name says that its value is nobody's business."""
    return _SECRET_KEY.search(key) is not None


def secret_beside_a_variable(address: str) -> bool:
    """True where a password stands as it is in an address that has ${NAME} elsewhere."""
    userinfo, _, rest = address.partition("://")[2].rpartition("@")
    secrets = [userinfo.partition(":")[2], *_SECRET_PARAMETER.findall(rest)]
    return "${" in address and any(value and "${" not in value for value in secrets)


def shown(value: object) -> str:
    """A found value in a few characters; of lists and mappings only what they are."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value} (a number)"
        case str():
            text = redacted(value)
            return repr(text[:_SHOWN_CHARACTERS]) + ("…" if len(text) > _SHOWN_CHARACTERS else "")
        case dict():
            return "a mapping" if value else "an empty mapping"
        case _:
            return "a list" if value else "an empty list"
