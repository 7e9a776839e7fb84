"""What a run's parts have counted, put together for people and programs."""

from streamer.camera import Camera
from streamer.leg import Leg
from streamer.stats import CameraStats, SinkStats, added, percentile_ms
from streamer.wired import Wired


def camera_stats(camera: Camera, wired: Wired) -> CameraStats:
    """One camera's, as it stands now."""
    passed = wired.analysis.passed[camera.name]
    # What is further down is read first, so that a frame on its way is never counted twice.
    processed = passed.processed
    dropped = added(
        wired.results[camera.name].dropped,
        wired.worker_of[camera.name].failures.of(camera.name),
        wired.worker_of[camera.name].unprepared.of(camera.name),
        wired.lanes[camera.name].dropped,
    )
    ages_ns = list(passed.ages_ns)
    seen = passed.latest
    objects: dict[str, int] = {}
    if seen is not None:
        for class_id in seen.class_id.tolist():
            objects[seen.labels[class_id]] = objects.get(seen.labels[class_id], 0) + 1
    return CameraStats(
        name=camera.name,
        status=camera.status,
        epoch=camera.epoch,
        captured=camera.captured,
        processed=processed,
        dropped=dropped,
        age_p50_ms=percentile_ms(ages_ns, 0.50),
        age_p99_ms=percentile_ms(ages_ns, 0.99),
        objects=objects,
        failed=camera.error is not None,
        live=camera.source.live,
        reconnects=dict(camera.reconnects),
        quality=camera.quality,
        given_up=camera.given_up,
        away_s=wired.checkups[camera.name].away_s(),
    )


def sink_stats(leg: Leg) -> SinkStats:
    """One sink's, as it stands now."""
    return SinkStats(leg.name, leg.written, leg.dropped, leg.why, leg.outages.count, leg.stuck_s)
