"""A camera's device service: its clock, who it is, where its other services are."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from streamer.errors import Cause, SourceError
from streamer.onvif import soap
from streamer.onvif.exchange import Reply, post
from streamer.onvif.login import Login, username_token
from streamer.onvif.markup import Unreadable, text
from streamer.onvif.places import HTTP, at_host
from streamer.rtsp import auth

CALL_S = 4.0
DEVICE_S = 20.0  # all calls together
_MOST_SERVICES = 64


class Device:
    """Talks to one camera over HTTP; each call blocks for 4 s at most, all together for 20 s.

    What it tells of addresses on other hosts is taken to be meant of its own. Raises SourceError: the
    cause is AUTH where it wants another user or password, which are never sent as they are.
    """

    def __init__(self, url: str, login: Login | None = None, seconds: float = DEVICE_S) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.place = parts.netloc
        self._url = url
        self._port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        self._login = login
        self._end = time.monotonic() + seconds
        self._ahead = timedelta()  # the camera's clock, of ours
        self._services: dict[str, str] | None = None

    def set_clock(self) -> None:
        """Ask for the camera's own time; anybody may (ONVIF Core Specification, "System date and time")."""
        try:
            answer = self._ask(self._url, soap.DEVICE, "GetSystemDateAndTime", "", login=None)
        except SourceError as error:
            if error.cause is not Cause.AUTH:  # some do not let anybody; then their clock has to be right
                raise
            return
        utc = answer.find("{*}SystemDateAndTime/{*}UTCDateTime")
        fields = (
            "Date/{*}Year",
            "Date/{*}Month",
            "Date/{*}Day",
            "Time/{*}Hour",
            "Time/{*}Minute",
            "Time/{*}Second",
        )
        with suppress(ValueError, OverflowError):
            year, month, day, hour, minute, second = (int(text(utc, f"{{*}}{one}")) for one in fields)
            told = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
            if told.year < datetime.max.year:  # a moment later there is no time any more
                self._ahead = told - datetime.now(UTC)

    def made(self) -> str:
        """Maker and model, as GetDeviceInformation tells them."""
        answer = self.ask(self._url, soap.DEVICE, "GetDeviceInformation")
        maker, model = text(answer, "{*}Manufacturer"), text(answer, "{*}Model")
        return f"{maker} {model}".strip()[:60]

    def service(self, namespace: str) -> str | None:
        """Where a service is; None where there is none."""
        if self._services is None:
            self._services = self._found()
        return self._services.get(namespace)

    def ask(self, url: str, namespace: str, operation: str, inside: str = "") -> Element:
        """The answer to one request, with the login where there is one. Raises SourceError."""
        return self._ask(url, namespace, operation, inside, self._login)

    def at_its_host(self, told: str, schemes: tuple[str, ...]) -> str | None:
        """An address that the camera told, on its own host."""
        return at_host(told, self.host, schemes, self._port if schemes == HTTP else None)

    def _found(self) -> dict[str, str]:
        """GetServices, or GetCapabilities where the camera is older than that."""
        found = {}
        try:
            wanted = "<m:IncludeCapability>false</m:IncludeCapability>"
            answer = self.ask(self._url, soap.DEVICE, "GetServices", wanted)
            for one in answer.findall("{*}Service")[:_MOST_SERVICES]:
                found[text(one, "{*}Namespace")] = text(one, "{*}XAddr")
        except SourceError as error:
            if error.cause is not Cause.NOT_FOUND:
                raise
        if not found:
            wanted = "<m:Category>Media</m:Category>"
            answer = self.ask(self._url, soap.DEVICE, "GetCapabilities", wanted)
            found[soap.MEDIA] = text(answer, "{*}Capabilities/{*}Media/{*}XAddr")
        here = {name: self.at_its_host(told, HTTP) for name, told in found.items()}
        return {name: url for name, url in here.items() if url is not None}

    def _ask(self, url: str, namespace: str, operation: str, inside: str, login: Login | None) -> Element:
        if login and not login.sendable:
            why = "user name or password has control characters, or other characters that no request may hold"
            raise SourceError(Cause.AUTH, f"{self.place}: {why}")
        token = username_token(login, datetime.now(UTC) + self._ahead) if login else ""
        # SOAP 1.2, part 2, section 6.5.3: some want to be told there, too.
        kind = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{namespace}/{operation}"'}
        reply = self._post(url, soap.request(namespace, operation, inside, token), kind)
        if reply.status == 401 and login:
            # ONVIF Core Specification, "Access control": the newer way is HTTP digest, without the token.
            challenge = auth.best_challenge(reply.challenges)
            if challenge is not None and challenge.scheme == "digest":
                known = auth.Login(login.user, login.password)
                known.asked(challenge)
                parts = urlsplit(url)
                way = parts.path + (f"?{parts.query}" if parts.query else "")
                headers = kind | {"Authorization": known.header("POST", way) or ""}
                reply = self._post(url, soap.request(namespace, operation, inside, ""), headers)
        return self._answer(reply, operation, login)

    def _post(self, url: str, data: bytes, headers: dict[str, str]) -> Reply:
        deadline = min(time.monotonic() + CALL_S, self._end)
        if deadline <= time.monotonic():
            raise SourceError(Cause.SILENCE, f"{self.place}: takes too long to answer")
        return post(url, data, deadline, headers)

    def _answer(self, reply: Reply, operation: str, login: Login | None) -> Element:
        if reply.status in (401, 403):
            raise self._refused(login)
        if 300 <= reply.status < 400:
            raise SourceError(Cause.NOT_FOUND, f"{self.place}: sends us elsewhere, where we do not go")
        try:
            return soap.answered(reply.body, operation)
        except soap.Fault as fault:
            if fault.login:
                raise self._refused(login) from None
            raise SourceError(Cause.NOT_FOUND, f"{self.place}: {operation}: {fault}") from None
        except Unreadable as error:
            why = f"status {reply.status}" if reply.status >= 400 else str(error)
            raise SourceError(Cause.NOT_FOUND, f"{self.place}: does not speak ONVIF here: {why}") from None

    def _refused(self, login: Login | None) -> SourceError:
        why = "refuses the user name or password" if login else "asks for a user name and password"
        return SourceError(Cause.AUTH, f"{self.place}: {why}")
