"""All of this machine, section by section; whatever is broken, the others are looked at."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from streamer.doctor.finding import Section, problem
from streamer.doctor.machine import engines, libraries
from streamer.doctor.machine.engines import Measure
from streamer.doctor.machine.libraries import Loaded
from streamer.errors import text_of


def examine(measure: Measure) -> Iterator[Section]:
    """Each section as soon as it is known. `measure` says how fast an engine is; it may take seconds."""
    yield _guarded("Python", lambda: _file("interpreter").section())
    yield _guarded("Machine", lambda: _file("processor").section())
    loaded = Loaded()

    def look_at_libraries() -> Section:
        nonlocal loaded
        loaded = libraries.load(libraries.modules())
        return libraries.section(loaded)

    yield _guarded("Libraries", look_at_libraries)
    yield _guarded("Models", lambda: _file("storage").section())
    yield _guarded("Engines", lambda: _engines(loaded, measure))
    yield _guarded("Codecs", lambda: _file("video_codecs").section(loaded))
    yield _guarded("Display", lambda: _file("displays").section(loaded))
    yield _guarded("USB cameras", lambda: _file("usb_cameras").section())


def _file(name: str) -> Any:
    """One of machine/: some need what may be broken, so each is loaded when its turn comes."""
    return importlib.import_module(f"streamer.doctor.machine.{name}")


def _engines(loaded: Loaded, measure: Measure) -> Section:
    if libraries.harmful():
        return engines.section(loaded, None, "a library is installed that must not be loaded")
    if not _file("storage").have():
        return engines.section(loaded, None, f"{engines.DEFAULT} is not in the cache")
    return engines.section(loaded, measure)


def _guarded(title: str, look: Callable[[], Section]) -> Section:
    """The section; where looking fails, that is what there is to be said."""
    try:
        return look()
    except Exception as error:  # whatever a broken machine raises: the rest is wanted all the more
        text = f"could not be looked at: {type(error).__name__}: {text_of(error)[:300]}"
        return Section(title, (problem(title.lower(), text, "mend what is broken above, then look again"),))
