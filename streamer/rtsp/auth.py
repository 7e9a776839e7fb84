"""User name and password as a camera asks for them: Basic and Digest (RFC 7616, RFC 2617, RFC 7617)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamer.rtsp.message import CODING

# A name, and its value in quotes (with escapes) or bare. Each begins where no other one can, and a quote
# without an end goes on to the end: what is hostile is read in linear time, too.
_FIELD = re.compile(
    r'(?<![\w-])([A-Za-z][\w-]*)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)(?:"|\\?\Z)|([^\s,"]+))', re.ASCII
)
_SCHEME = re.compile(r"(?:^|,)[ \t]*(Basic|Digest)(?=[ \t,]|$)", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)')
# In the order in which we like them.
_HASHES = {"sha-256": hashlib.sha256, "md5": hashlib.md5}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a camera wants to know, and how."""

    scheme: str  # basic, digest
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        return (self.fields.get("algorithm") or "md5").lower()

    @property
    def stale(self) -> bool:
        """The password may be right: only the nonce is too old."""
        return self.fields.get("stale", "").lower() == "true"


def best_challenge(lines: Sequence[str], *, digest_only: bool = False) -> Challenge | None:
    """The strongest one that we know, of the WWW-Authenticate lines of a 401; None where there is none.

    `digest_only`: none that the password itself answers.
    """
    found = [challenge for line in lines for challenge in _challenges(line)]
    for algorithm in _HASHES:
        for challenge in found:
            if challenge.scheme == "digest" and challenge.algorithm == algorithm and _can(challenge):
                return challenge
    basic = (challenge for challenge in found if challenge.scheme == "basic" and not digest_only)
    return next(basic, None)


def _can(challenge: Challenge) -> bool:
    ways = (challenge.fields.get("qop") or "auth").lower()
    return "nonce" in challenge.fields and "auth" in re.split(r"[ ,]+", ways)


def _challenges(line: str) -> list[Challenge]:
    # What stands in quotes may look like anything.
    bare = _QUOTED.sub(lambda match: "_" * len(match[0]), line)
    starts = [*_SCHEME.finditer(bare)]
    ends = [match.start() for match in starts[1:]] + [len(line)]
    found = []
    for match, end in zip(starts, ends, strict=False):  # there may be no start
        fields = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
            for name, quoted, bare in _FIELD.findall(line, match.end(), end)
        }
        found.append(Challenge(match[1].lower(), fields))
    return found


class Login:
    """Answers one camera's challenges. `nonce` counts where a camera wants it to be counted."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._challenge: Challenge | None = None
        self._count = 0

    def asked(self, challenge: Challenge) -> None:
        """The camera wants this answered from now on."""
        self._challenge, self._count = challenge, 0

    def header(self, method: str, uri: str) -> str | None:
        """The Authorization of a request; None as long as nobody has asked."""
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode(*CODING)).decode()
        return "Digest " + self._digest(challenge.fields, challenge.algorithm, method, uri)

    def _digest(self, asked: dict[str, str], algorithm: str, method: str, uri: str) -> str:
        def digest(text: str) -> str:
            return _HASHES[algorithm](text.encode(*CODING), usedforsecurity=False).hexdigest()

        realm, nonce = asked.get("realm", ""), asked["nonce"]
        secret = digest(f"{self._user}:{realm}:{self._password}")
        what = digest(f"{method}:{uri}")
        told = {"username": self._user, "realm": realm, "nonce": nonce, "uri": uri}
        bare = {}
        if asked.get("qop"):
            self._count += 1
            count, cnonce = f"{self._count:08x}", secrets.token_hex(8)
            told["response"] = digest(f"{secret}:{nonce}:{count}:{cnonce}:auth:{what}")
            told["cnonce"] = cnonce
            bare = {"qop": "auth", "nc": count}
        else:
            told["response"] = digest(f"{secret}:{nonce}:{what}")
        if asked.get("algorithm"):
            bare["algorithm"] = asked["algorithm"]
        if "opaque" in asked:
            told["opaque"] = asked["opaque"]
        parts = [f'{name}="{_escaped(value)}"' for name, value in told.items()]
        return ", ".join(parts + [f"{name}={value}" for name, value in bare.items()])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
