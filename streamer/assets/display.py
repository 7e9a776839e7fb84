"""Show on stderr how a fetch goes: bars on a terminal, otherwise one plain line for each thing done."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from streamer.assets.progress import Progress, Step


@contextmanager
def shown() -> Iterator[Progress]:
    """Yield a progress callback for `fetch` that shows what it is told on stderr."""
    console = Console(stderr=True)
    lines = _Lines(console)
    if not console.is_terminal:
        yield lines
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        task: TaskID | None = None

        def show(step: Step) -> None:
            nonlocal task
            if lines(step) or task is None:
                if task is not None:
                    bars.remove_task(task)
                task = bars.add_task(step.asset.name, total=None)
            if step.done_bytes is not None:
                bars.update(task, total=step.asset.size, completed=step.done_bytes)

        yield show


class _Lines:
    """One line for each new text of an asset."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[str, str] | None = None

    def __call__(self, step: Step) -> bool:
        """Print the step's line if it is new; True if it was."""
        line = step.asset.name, step.text
        if line == self._last:
            return False
        self._last = line
        self._console.print(": ".join(line), markup=False, highlight=False, soft_wrap=True)
        return True
