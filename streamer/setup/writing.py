"""The configuration is checked as it will be read, and only then put in its place, whole."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from streamer.config import Loaded, read
from streamer.errors import ConfigError


def refuse_to_overwrite(file: Path, *, force: bool) -> None:
    """Raises ConfigError where something is there, or nothing could be put there."""
    if file.is_dir():
        raise ConfigError(f"--output {file}: is a folder; name a file, as {file / 'cameras.yaml'}")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"--output {file}: there is no folder {file.parent}")
    if os.path.lexists(file) and not force:
        raise ConfigError(f"{file}: is already there; --force writes over it, --output FILE elsewhere")
    try:
        tempfile.TemporaryFile(dir=file.absolute().parent).close()
    except OSError as error:
        raise _unwritable(file, error) from error


def write(file: Path, text: str, check: Callable[[Loaded], object], *, force: bool) -> None:
    """Check it, also by `check`, and put it there; where that fails nothing is left. Raises ConfigError.

    Relative paths in it count from that folder, so it is checked there, under another name.
    """
    try:
        number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.absolute().parent)
    except OSError as error:
        raise _unwritable(file, error) from error
    beside = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            check(read(beside))
        except ConfigError as error:
            raise ConfigError(str(error).replace(str(beside), str(file))) from None
        refuse_to_overwrite(file, force=force)
        beside.chmod(0o666 & ~_umask())
        beside.replace(file)
    except OSError as error:
        raise _unwritable(file, error) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def _unwritable(file: Path, error: OSError) -> ConfigError:
    return ConfigError(f"--output {file}: {(error.strerror or str(error)).lower()}")


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found
