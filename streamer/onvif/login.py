"""User name and password, and the token that proves to know them."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from xml.sax.saxutils import escape

_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"


@dataclass(frozen=True, slots=True)
class Login:
    """A camera's user and password, as they are: nothing is percent-encoded."""

    user: str
    password: str = field(repr=False)

    @property
    def sendable(self) -> bool:
        """False where XML and headers have no way to write it: controls, bytes that are no text."""
        return not _UNSENDABLE.search(self.user + self.password)


def username_token(login: Login, created: datetime, nonce: bytes | None = None) -> str:
    """The header that proves to know the password (WS-Security UsernameToken Profile 1.0, section 3.1).

    Digest: base64(SHA-1(nonce + created + password)). `created` is UTC by the camera's own clock, for it
    refuses what is minutes off.
    """
    nonce = nonce or secrets.token_bytes(16)
    stamp = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(nonce + stamp.encode() + login.password.encode(), usedforsecurity=False).digest()
    return (
        f'<w:Security s:mustUnderstand="1" xmlns:w="{_WSS}-wssecurity-secext-1.0.xsd"'
        f' xmlns:u="{_WSS}-wssecurity-utility-1.0.xsd"><w:UsernameToken>'
        f"<w:Username>{escape(login.user)}</w:Username>"
        f'<w:Password Type="{_WSS}-username-token-profile-1.0#PasswordDigest">'
        f"{base64.b64encode(digest).decode()}</w:Password>"
        f'<w:Nonce EncodingType="{_WSS}-soap-message-security-1.0#Base64Binary">'
        f"{base64.b64encode(nonce).decode()}</w:Nonce>"
        f"<u:Created>{stamp}</u:Created></w:UsernameToken></w:Security>"
    )
