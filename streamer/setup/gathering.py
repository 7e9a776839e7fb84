"""From candidates to cameras that were tried; what cannot be used is left out, and said."""

from collections.abc import Sequence

from streamer.errors import Cause, ConfigError, SourceError
from streamer.setup.asking import LOGINS_ASKED, Asking
from streamer.setup.candidates import Candidate, Typed
from streamer.setup.offers import Camera, Taken
from streamer.setup.page import tried, why_none
from streamer.setup.talk import Talk
from streamer.setup.trying import try_camera
from streamer.sources.untold import Untold


def gather(talk: Talk, asking: Asking, candidates: Sequence[Candidate], *, wanted: bool) -> list[Taken]:
    """Try each of them. `wanted`: the user named them, so none may be missing without a word from him.

    Raises ConfigError where none is left, or a wanted one cannot be had.
    """
    taken = []
    asking.expect(candidates)
    for candidate in candidates:
        try:
            cameras = asking.cameras(candidate)
        except (SourceError, ConfigError) as error:
            if wanted and not talk.attended:
                raise ConfigError(str(error)) from error
            talk.tell(f"  left out: {error}")
            continue
        for camera in cameras:
            one = _tried(talk, asking, camera)
            if one.report.ok or _keep(talk, one, wanted=wanted or isinstance(candidate, Typed)):
                taken.append(one)
    if not taken:
        raise ConfigError("no camera is left; nothing was written")
    return taken


def _tried(talk: Talk, asking: Asking, camera: Camera) -> Taken:
    talk.tell(f"trying {camera.name} …")
    taken = try_camera(camera)
    for _ in range(LOGINS_ASKED):
        failure = taken.report.failure
        if failure is None or failure.cause is not Cause.AUTH or isinstance(failure, Untold):
            break
        other = asking.with_other_login(camera)
        if other is None:
            break
        camera = other
        taken = try_camera(camera)
    if taken.report.ok:
        asking.remember(camera.login)
    of_several = f"{taken.offer.name}. " if len(taken.camera.offers) > 1 and taken.offer.name else ""
    came = tried(taken) if taken.report.ok else f"no picture: {why_none(taken.report)}"
    talk.tell(f"  {of_several}{came}")
    return taken


def _keep(talk: Talk, taken: Taken, *, wanted: bool) -> bool:
    """Whether a camera that gave no picture is written down all the same."""
    live = taken.offer.address.live
    if isinstance(taken.report.failure, Untold):  # `run` would tell it
        talk.tell("  left out")
        return False
    if not talk.attended:
        if wanted and not live:  # a recording is there, or it is a mistake
            raise ConfigError(str(taken.report.failure or f"{taken.camera.about}: there is no picture in it"))
        talk.tell("  written down all the same" if wanted else "  left out")
        return wanted
    usual = "yes" if wanted and live else "no"
    return talk.ask(f"  Write {taken.camera.name} down all the same?", usual, yes_or_no)


def yes_or_no(text: str) -> bool:
    """An answer. Raises ConfigError."""
    answer = text.strip().lower()
    if answer in ("y", "yes"):
        return True
    if answer in ("n", "no"):
        return False
    raise ConfigError("allowed: yes, no")
