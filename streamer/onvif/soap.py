"""Requests to a camera's services, and what its answers are (SOAP 1.2)."""

from xml.etree.ElementTree import Element

from streamer.onvif.markup import Unreadable, parse, text

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
# ONVIF Core Specification, "Generic faults", and WS-Security, section 12.
_WRONG_LOGIN = ("notauthorized", "failedauthentication", "invalidsecuritytoken", "failedcheck")


class Fault(Exception):
    """The camera says no. `login` is True where it is user or password that it wants, or refuses."""

    def __init__(self, why: str, *, login: bool) -> None:
        super().__init__(why)
        self.login = login


def request(namespace: str, operation: str, inside: str, header: str) -> bytes:
    """An envelope; `inside` may use the prefixes m: for that namespace and tt: for ONVIF's own types."""
    body = f'<m:{operation} xmlns:m="{namespace}">{inside}</m:{operation}>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<s:Envelope xmlns:s="{_ENVELOPE}" xmlns:tt="{SCHEMA}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def answered(data: bytes, operation: str) -> Element:
    """The element `…Response` in an answer. Raises Fault, Unreadable."""
    body = parse(data).find("{*}Body")
    if body is None:
        raise Unreadable("no SOAP")
    fault = body.find("{*}Fault")
    if fault is not None:
        codes = [text(one).rpartition(":")[2] for one in fault.iter() if one.tag.endswith("}Value")]
        codes.append(text(fault, "faultcode").rpartition(":")[2])  # SOAP 1.1
        why = text(fault, "{*}Reason/{*}Text") or text(fault, "faultstring") or ", ".join(codes)
        login = any(code.lower() in _WRONG_LOGIN for code in codes) or "not authorized" in why.lower()
        raise Fault(why[:200] or "it does not say why", login=login)
    found = body.find(f"{{*}}{operation}Response")
    if found is None:
        raise Unreadable(f"no answer to {operation}")
    return found
