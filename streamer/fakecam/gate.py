"""Who may watch: HTTP's Basic and Digest authentication as RTSP uses them (RFC 2617)."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from urllib.parse import urlsplit

from streamer.fakecam.message import Request

REALM = "freshframe"
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))')


class Gate:
    """Lets one user in. Digest without `qop`, as cameras do it; a nonce belongs to one connection."""

    def __init__(self, user: str, password: str) -> None:
        self._basic = f"{user}:{password}".encode()
        self._user = user
        self._secret = _md5(f"{user}:{REALM}:{password}")

    @staticmethod
    def new_nonce() -> str:
        return secrets.token_hex(16)

    @staticmethod
    def challenges(nonce: str) -> tuple[str, ...]:
        """The header lines of a 401."""
        return (
            f'WWW-Authenticate: Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5',
            f'WWW-Authenticate: Basic realm="{REALM}"',
        )

    def admits(self, request: Request, nonce: str) -> bool:
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(rest, validate=True)
            except binascii.Error:
                return False
            return hmac.compare_digest(given, self._basic)
        if scheme.lower() == "digest":
            return self._digest_fits(rest, request, nonce)
        return False

    def _digest_fits(self, text: str, request: Request, nonce: str) -> bool:
        given = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(text)}
        uri = given.get("uri", "")
        try:
            # Some clients leave the host out, none may take an answer for another address.
            same = urlsplit(uri).path.rstrip("/") == request.path
        except ValueError:
            return False
        wanted = _md5(f"{self._secret}:{nonce}:{_md5(f'{request.method}:{uri}')}")
        return (
            same
            and given.get("username") == self._user
            and given.get("nonce") == nonce
            and hmac.compare_digest(given.get("response", "").lower(), wanted)
        )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
