"""What a tile says, in words and numbers."""

from sinks.window.messages import Tile
from streamer.errors import followed_by

STALE_NS = 2_000_000_000  # without a picture for so long nothing is shown as if it were live
UNSEEN_NS = 2_000_000_000


def span(ns: int) -> str:
    """A time as people say it."""
    seconds = max(0, ns) / 1e9
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def age_ns(tile: Tile, now_ns: int) -> int | None:
    """How old the picture is that is shown, its delay on the way included; None in a recording."""
    shot = tile.shot
    return None if shot is None or not shot.live else max(0, now_ns - shot.captured_ns) + shot.lag_ns


def trouble(tile: Tile, now_ns: int, usual_ns: int | None) -> tuple[str, str]:
    """Why the picture is not live, as a headline and a sentence; empty where it is.

    usual_ns: the time from one picture to the next, as it was lately; None where none is waited for.
    """
    away, why = span(now_ns - tile.since_ns), without_address(tile.why)
    match tile.state:
        case "live":
            return _overdue(tile, now_ns, usual_ns), ""
        case "ended":
            return "ended", why
        case "connecting":
            return f"connecting for {away}", why
        case "failed":
            return f"failed {away} ago", followed_by(why, "tried again slowly")
        case "retrying":
            return f"offline for {away}", followed_by(why, "trying again")
        case _:
            return f"{tile.state} for {away}", why


def _overdue(tile: Tile, now_ns: int, usual_ns: int | None) -> str:
    """The camera is live, but its pictures do not get as far as this."""
    shot = tile.shot
    if shot is None or not shot.live or usual_ns is None:
        return ""
    away_ns = now_ns - shot.captured_ns
    return f"no picture for {span(away_ns)}" if away_ns > max(STALE_NS, 4 * usual_ns) else ""


def without_address(why: str) -> str:
    """The cause alone: the tile says whose it is, and an address leaves no room for anything else."""
    address, colon, cause = why.partition(": ")
    return cause if colon and " " not in address else why


def warnings(tile: Tile) -> list[str]:
    """What is wrong with a picture that is live."""
    words = [", ".join(tile.quality)] if tile.quality else []
    if tile.shot is not None and tile.shot.live:
        if tile.unseen_ns is None:
            words.append("nobody has looked yet")
        elif tile.unseen_ns > UNSEEN_NS:
            words.append(f"not looked at for {span(tile.unseen_ns)}")
    if tile.unreadable:
        words.append(f"newer pictures cannot be read: {tile.unreadable}")
    return words


def facts(tile: Tile, fps: float | None, age: int | None) -> list[str]:
    """What a tile's bar says of its picture, the most important first."""
    shot = tile.shot
    if shot is None:
        return []
    words = [span(age)] if age is not None else [clock(shot.scene_ns)]
    if fps is not None:
        words.append(f"{fps:.0f} fps" if fps >= 9.5 else f"{fps:.1f} fps")
    return words


def clock(scene_ns: int) -> str:
    """A place in a recording."""
    seconds, tenths = divmod(max(0, scene_ns) // 100_000_000, 10)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{tenths}"
