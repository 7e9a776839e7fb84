"""From what could be a camera to cameras: it is asked what it has, with a login where it wants one."""

import re
from collections.abc import Sequence
from dataclasses import replace

from streamer.errors import Cause, ConfigError, SourceError
from streamer.onvif import Device, Login, Profile, profiles
from streamer.setup.candidates import Candidate, Networked, Plugged, Typed
from streamer.setup.credentials import taken_apart, told_secret, typed_secret, with_login
from streamer.setup.offers import Camera, Offer
from streamer.setup.talk import Talk
from streamer.sources.address import camera_name, parse_address
from streamer.sources.names import unique_names
from streamer.sources.substreams import substream

LOGINS_ASKED = 3  # of one camera; more could lock the account


class Names:
    """A name for each camera, unique; made of what may say anything."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, text: str) -> str:
        """Reduced to what a name may hold; -2, -3 on a clash."""
        name = wanted = re.sub("-{2,}", "-", camera_name(text))
        number = 2
        while name in self._taken:
            ending = f"-{number}"
            name, number = wanted[: 64 - len(ending)] + ending, number + 1
        self._taken.add(name)
        return name


class Asking:
    """Turns candidates into cameras; remembers the logins, so that each is asked for once."""

    def __init__(self, talk: Talk, login: Login | None = None) -> None:
        self._talk = talk
        self._login = login  # tried first with the next camera
        self._names = Names()
        self._expected: dict[Typed, list[str]] = {}  # one may be there twice

    def expect(self, candidates: Sequence[Candidate]) -> None:
        """Those that will be asked about: addresses are named together, as `detect` names them."""
        typed = [one for one in candidates if isinstance(one, Typed)]
        for one, name in zip(typed, unique_names([one.address for one in typed]), strict=True):
            self._expected.setdefault(one, []).append(name)

    def cameras(self, candidate: Candidate) -> list[Camera]:
        """The cameras that it is. Raises SourceError, ConfigError where it is none that can be used."""
        match candidate:
            case Networked():
                return self._networked(candidate)
            case Plugged():
                name = self._names.unique(candidate.name)
                address = parse_address(candidate.path)
                return [Camera(name, f"{candidate.name} (USB)", (Offer(candidate.path, address),))]
            case Typed():
                return [self._typed(candidate)]

    def with_other_login(self, camera: Camera) -> Camera | None:
        """The camera with a login that the user is asked for, where a stream refused the one it has."""
        if any(offer.form != "plain" for offer in camera.offers):
            return None
        wants = "refuses the user name or password" if camera.login else "asks for a user name and password"
        login = self._ask_login(f"{camera.name}: {wants}")
        if login is None:
            return None
        offers = (replace(one, address=parse_address(with_login(one.text, login))) for one in camera.offers)
        return replace(camera, offers=tuple(offers), login=login)

    def remember(self, login: Login | None) -> None:
        """It was right: it is tried first with the next camera."""
        self._login = login or self._login

    def _typed(self, typed: Typed) -> Camera:
        address = typed.address
        expected = self._expected.get(typed)
        name = self._names.unique(expected.pop(0) if expected else address.name)
        if "${" in typed.text:
            return Camera(name, address.redacted, (Offer(typed.text, address, "written"),))
        if not address.kind.network:
            text = address.text if address.kind.local else typed.text
            return Camera(name, address.redacted, (Offer(text, address),))
        bare, login = taken_apart(address.text)
        if typed_secret(bare):
            return Camera(name, address.redacted, (Offer(address.text, address, "whole"),))
        login = login or self._login
        offers = [Offer(bare, parse_address(with_login(bare, login)))]
        smaller = substream(bare) if self._talk.attended else None  # by flags an address is what it is
        if smaller is not None:
            offers = [
                replace(offers[0], name="as you named it"),
                Offer(smaller, parse_address(with_login(smaller, login)), name="its substream"),
            ]
        return Camera(name, address.redacted, tuple(offers), login)

    def _networked(self, found: Networked) -> list[Camera]:
        """A camera for each view: a recorder has several."""
        made, told, login = self._asked(found)
        views: dict[str, dict[str, Offer]] = {}
        for profile in told:
            offer = _offer(profile, login)
            if offer is not None:  # some name one stream several times
                views.setdefault(profile.view, {}).setdefault(offer.text, offer)
        if not views:
            raise SourceError(
                Cause.NOT_FOUND,
                f"{found.host}: none of its addresses can be written into a file: they are none, or have a "
                "secret in them; put it into an environment variable, and name it as ${NAME}",
            )
        cameras = []
        for number, offers in enumerate(views.values(), 1):
            title = found.name or made or found.hardware or found.host
            name = self._names.unique(f"{title}-{number}" if len(views) > 1 else title)
            about = f"{made or found.hardware or 'a camera'} at {found.host} (ONVIF)"
            cameras.append(Camera(name, about, tuple(offers.values()), login, found=found.found))
        return cameras

    def _asked(self, found: Networked) -> tuple[str, list[Profile], Login | None]:
        """Maker and model, its profiles, and the login it wanted. Raises SourceError."""
        login, asked = self._login, 0
        while True:
            device = Device(found.url, login)
            try:
                device.set_clock()
                told = profiles(device)
                break
            except SourceError as error:
                if error.cause is not Cause.AUTH or asked == LOGINS_ASKED:
                    raise
                login, asked = self._ask_login(str(error)), asked + 1
                if login is None:
                    raise
        self.remember(login)
        return _made(device), told, login

    def _ask_login(self, why: str) -> Login | None:
        """The user's; None where nobody is there, or nothing is typed."""
        if not self._talk.attended:
            return None
        self._talk.tell(f"  {why}")
        usual = self._login.user if self._login else "admin"
        user = self._talk.ask("  User name, or - to leave this camera out", usual, str)
        if user == "-":
            return None
        password = self._talk.secret("  Password (it is not shown, and not written into the file):")
        return Login(user, password)


def _offer(one: Profile, login: Login | None) -> Offer | None:
    """None where its address cannot be used, or has a secret in it that is not the user's to keep."""
    if told_secret(one.url, login):
        return None
    try:
        address = parse_address(with_login(one.url, login))
    except ConfigError:
        return None
    return Offer(one.url, address, name=one.name, codec=one.codec, size=one.size, fps=one.fps)


def _made(device: Device) -> str:
    try:
        return device.made()
    except SourceError:  # nice to know, no more
        return ""
