"""Does a camera really send what it says?"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from streamer.doctor import probe
from streamer.doctor.report import Report
from streamer.errors import Cause
from streamer.setup.choosing import LARGE_PX, ranked, reason, suits
from streamer.setup.offers import Camera, Offer, Taken
from streamer.sources.address import Address, Kind
from streamer.sources.options import SourceOptions

TRY_S = 2.0
MOST_TRIES = 3  # streams of one camera

Probing = Callable[[Address], Report]


def look(address: Address, *, digest_only: bool = False) -> Report:
    """Watch it for two seconds, or until a first picture comes."""
    return probe(address, SourceOptions(digest_only=digest_only), TRY_S)


def try_camera(camera: Camera, probing: Probing | None = None) -> Taken:
    """The stream that is for detection: the best by what the camera tells that also comes so.

    Where none comes at all, the best one as it was told, with the report of why.
    """
    probing = probing or partial(look, digest_only=camera.found)
    order = ranked(camera.offers)
    reports: dict[Offer, Report] = {}
    for offer in order[:MOST_TRIES]:
        report = probing(offer.address)
        seen = offer.as_tried(report) if report.ok else offer
        reports[seen] = report
        if _refused(report) or (report.ok and suits(seen) and not _smaller_may_do(seen, order)):
            break
    working = ranked([offer for offer, report in reports.items() if report.ok])
    taken = (working or list(reports))[0]
    # What was not tried stays as it was told; a guess that was wrong was nothing.
    wrong = [offer.text for offer, report in reports.items() if offer.size is None and not report.ok]
    tried = {offer.text: offer for offer in reports}
    offers = tuple(
        tried.get(one.text, one) for one in camera.offers if one.text == taken.text or one.text not in wrong
    )
    return Taken(replace(camera, offers=offers), taken, reports[taken], _why(taken, offers))


def _why(taken: Offer, offers: tuple[Offer, ...]) -> str:
    return "" if taken.address.kind.local or taken.address.kind is Kind.SYNTHETIC else reason(taken, offers)


def _smaller_may_do(seen: Offer, others: Sequence[Offer]) -> bool:
    """Large, and there is one of which nothing is known: it may be the substream."""
    return seen.size is not None and max(seen.size) > LARGE_PX and any(one.size is None for one in others)


def _refused(report: Report) -> bool:
    """Asking again with the same password could lock the account."""
    return report.failure is not None and report.failure.cause is Cause.AUTH
