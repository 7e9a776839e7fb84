"""A name for each camera, unique within a pipeline."""

import re
from collections.abc import Sequence

from streamer.errors import ConfigError
from streamer.sources.address import Address

_LONGEST = 64


def unique_names(addresses: Sequence[Address], given: Sequence[str] = ()) -> list[str]:
    """A name for each address: the given ones in order, then the addresses' own, -2, -3 on a clash.

    Raises ConfigError for a given name that is too much, not allowed or there twice.
    """
    if len(given) > len(addresses):
        raise ConfigError(
            f"there are more names ({len(given)}) than sources ({len(addresses)}): "
            f"{given[len(addresses)]!r} names nothing"
        )
    for position, name in enumerate(given):
        check_name(name)
        if name in given[:position]:
            raise ConfigError(f"two cameras are called {name!r}; each needs a name of its own")
    names = list(given)
    for address in addresses[len(given) :]:
        name, number = address.name, 2
        while name in names:
            ending = f"-{number}"
            name, number = address.name[: _LONGEST - len(ending)] + ending, number + 1
        names.append(name)
    return names


def check_name(name: str) -> None:
    """Raises ConfigError unless the name can be used in topics and file names."""
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{_LONGEST}}}", name):
        raise ConfigError(f"camera name {name!r}: allowed are 1 to {_LONGEST} of A-Z, a-z, 0-9, _ and -")
