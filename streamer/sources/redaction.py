"""Passwords out of texts: addresses, errors and anything else that people get to see."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
SHORTEST_HIDDEN = 4  # letters, in any text; shorter ones are in half of all words

# What cameras and services call the parameters that carry a secret.
_TELLING_NAME = (
    r"(?:[\w.-]*(?:pass|pwd|pw|secret|token|key|auth|signature|credential|session)[\w.-]*"
    r"|login\w*|user(?:name)?|usr|sig)"
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s\"<>]*@", re.IGNORECASE)
_ENCODED_USERINFO = re.compile(r"(%3a%2f%2f)[^\s\"<>]*%40", re.IGNORECASE)
# A value goes on to the next &, whatever else is in it: who writes a password there may not encode it.
_PARAMETER = re.compile(rf"(?<![a-z0-9])({_TELLING_NAME})=((?:[^&\s\"<>:]|:(?!\s|$))*)", re.IGNORECASE)
_HEADER = re.compile(r"(authorization\s*[:=]\s*\w+)\s+[^\r\n]+", re.IGNORECASE)


def redact(text: str) -> str:
    """Hide user names and passwords of any address in a text, and parameters that look like secrets.

    Hides too much rather than too little: everything up to an address' last @ goes.
    """
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _ENCODED_USERINFO.sub(rf"\1{HIDDEN}%40", text)
    text = _HEADER.sub(rf"\1 {HIDDEN}", text)
    return redact_parameters(text)


def nearly_an_address(text: str) -> str:
    """What may be shown of a text that is no address, but may have been meant as one with a password.

    Where that ends nobody knows: all before the last @ goes.
    """
    before, at, after = text.rpartition("@")
    if at and ":" in before:
        scheme = _SCHEME.match(before)
        text = f"{scheme[0] if scheme else ''}{HIDDEN}@{after}"
    return redact(text)


def redact_parameters(text: str) -> str:
    """Hide the values of parameters that look like secrets: `password=…`, `token=…`."""
    return _PARAMETER.sub(rf"\1={HIDDEN}", text)


def secret_parameters(text: str) -> list[str]:
    """The values that `redact_parameters` would hide."""
    return [value for _, value in _PARAMETER.findall(text) if value]


def written_forms(user: str, password: str) -> list[str]:
    """The ways in which credentials may turn up in a text: as they are, percent-encoded, in base64."""
    user, password = unquote(user), unquote(password)
    pair = f"{user}:{password}".encode()
    forms = {base64.b64encode(pair).decode(), base64.urlsafe_b64encode(pair).decode()}
    forms |= {form.rstrip("=") for form in forms}
    for encode in (str, quote, quote_plus, _quote_all):
        forms.add(f"{encode(user)}:{encode(password)}")
        forms.add(encode(f"{user}:{password}"))
        # A password of three letters on its own is in half of all words.
        if len(password) > 3:
            forms.add(encode(password))
    if len(password) > 3:
        forms.add(base64.b64encode(password.encode()).decode())
    return sorted((form for form in forms if len(form) > 1), key=len, reverse=True)


def hide(text: str, secrets: Iterable[str]) -> str:
    """Replace each of the secrets; percent-encoding may be in either case."""
    longest_first = sorted(secrets, key=len, reverse=True)
    if not longest_first:
        return text
    return re.sub("|".join(map(re.escape, longest_first)), HIDDEN, text, flags=re.IGNORECASE)


def _quote_all(text: str) -> str:
    return quote(text, safe="")
