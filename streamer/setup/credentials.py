"""Passwords stay in the environment: a configuration names the variable that holds one."""

import os
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from streamer.config.environment import fill_in, in_user_part
from streamer.config.problems import Problem
from streamer.errors import ConfigError
from streamer.onvif import Login
from streamer.setup.offers import Offer
from streamer.sources.redaction import secret_parameters

FIRST = "CAMERAS_PASSWORD"


@dataclass(frozen=True, slots=True)
class Variable:
    """One that has to be set wherever the configuration is used."""

    name: str
    what: str  # that it holds: "the password of gate"
    encoded: bool = False  # percent-encoded, for as it is it would be read as something else
    known: bool = False  # it was set before


class Variables:
    """Which variable holds which secret. In this process they are set, so that the result can be checked.

    A variable holds a password as it is; `fill_in` makes it fit for an address.
    """

    def __init__(self, named: str | None = None) -> None:
        self.needed: list[Variable] = []
        self._named = named
        self._given: Login | None = None
        self._of: dict[Login, str] = {}

    def given(self, user: str | None) -> Login | None:
        """The login of --user and --password-env. Raises ConfigError."""
        if user and not user.isprintable():
            raise ConfigError(f"--user {user!a}: has characters in it that are not printable")
        if self._named is None:
            return Login(user, "") if user else None
        if user is None:
            raise ConfigError("--user and --password-env go together: give both or neither")
        filled = fill_in(f"rtsp://{quote(user, safe='')}:${{{self._named}}}@host/")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self._named) or filled.problems:
            raise ConfigError(f"--password-env {self._named}: {_problem(filled.problems)}")
        login = Login(user, _meant(os.environ[self._named]))
        self._given = login
        return login

    def written(self, offer: Offer, login: Login | None, camera: str) -> str:
        """The address as it stands in the configuration: user in it, the password by its variable."""
        if offer.form == "written":
            return offer.text
        if offer.form == "whole":
            return self._whole(offer.text, camera)
        parts = urlsplit(offer.text)
        if login is None or not offer.address.kind.network:
            return escaped(offer.text)
        if not login.password:
            return parts._replace(netloc=f"{_safe(login.user)}@{parts.netloc}").geturl()
        reference = f"${{{self._variable(login, camera)}}}"
        rest = parts._replace(netloc="*").geturl().split("*", 1)
        return f"{rest[0]}{_safe(login.user)}:{reference}@{parts.netloc}{escaped(rest[1])}"

    def _whole(self, url: str, camera: str) -> str:
        name = self._set(f"{_upper(camera)}_URL", url)
        self.needed.append(Variable(name, f"the whole address of {camera}, as you know it"))
        return f"${{{name}}}"

    def _variable(self, login: Login, camera: str) -> str:
        if login not in self._of and login == self._given and self._named:
            self._of[login] = self._named
            self.needed.append(Variable(self._named, "the cameras' password", known=True))
        if login not in self._of:
            only = not self._of
            ways = [login.password, _safe(login.password)]
            value = next(way for way in ways if way.isprintable() and _meant(way) == login.password)
            name = self._set(FIRST if only else f"{_upper(camera)}_PASSWORD", value, *ways)
            self._of[login] = name
            what = "the cameras' password" if only else f"the password of {camera}"
            self.needed.append(Variable(name, what, encoded=value != login.password))
        return self._of[login]

    def _set(self, name: str, value: str, *ways: str) -> str:
        """The variable that holds it, or one of other ways to write it, which come to the same."""
        # One that is set already may be what the user's own addresses name.
        names = (name, *(f"{name}_{i}" for i in range(2, 1000)))
        same = {value, *(way for way in ways if _meant(way) == _meant(value))}
        name = next(one for one in names if os.environ.get(one, value) in same)
        os.environ.setdefault(name, value)
        return name


def with_login(url: str, login: Login | None) -> str:
    """The address as it can be tried."""
    if login is None:
        return url
    parts = urlsplit(url)
    user = f"{_safe(login.user)}:{_safe(login.password)}" if login.password else _safe(login.user)
    return parts._replace(netloc=f"{user}@{parts.netloc}").geturl()


def taken_apart(url: str) -> tuple[str, Login | None]:
    """An address without user and password, and these."""
    parts = urlsplit(url)
    userinfo, at, place = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = userinfo.partition(":")
    return parts._replace(netloc=place).geturl(), Login(unquote(user), unquote(password))


def typed_secret(url: str) -> bool:
    """Whether there may be a secret in the parameters that a user typed, as in `?password=…`."""
    return bool(secret_parameters(url))


def told_secret(url: str, login: Login | None) -> bool:
    """Whether there is one in an address that a camera told: some put in what they have been asked with.

    Narrower than the other: `sessiontimeout=60` is in half of all addresses.
    """
    password = login.password if login else ""
    known = len(password) > 3 and any(form in url for form in (password, _safe(password)))
    return known or re.search(r"(pass|pwd|secret|token|credential)[\w.-]*=.", url, re.IGNORECASE) is not None


def escaped(text: str) -> str:
    """So that no $ in it names a variable: what a camera tells must not read our environment."""
    return text.replace("$", "$$")


def _meant(value: str) -> str:
    """The password that a variable's value stands for in an address."""
    return unquote(in_user_part(value))


def _safe(text: str) -> str:
    return quote(text, safe="")


def _upper(camera: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", camera).upper()
    return name if name[:1].isalpha() else f"CAMERA_{name}"


def _problem(problems: list[Problem]) -> str:
    return problems[0].text if problems else "not the name of a variable"
