"""Shows how far a command is. Which steps there are is decided by the work itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from domotic_assets.escaping import visible_line

# Polars takes long to import, and a command can start without it.
if TYPE_CHECKING:
    from domotic_assets.flow.workspace import Report


class _RateColumn(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        """Return the task's speed in units per second; an empty text if there is none yet."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")


@contextmanager
def progress(console: Console) -> Iterator["Report"]:
    """Yield a function that shows progress: a bar per step on a terminal, else a line per finished step."""
    if not console.is_terminal:
        yield lambda step, done, total: _plain(console, step, done, total)
        return
    columns = (
        TextColumn("{task.description:<30}", markup=False), BarColumn(), MofNCompleteColumn(), _RateColumn(),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(visible_line(step), total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield report


def _plain(console: Console, step: str, done: int, total: int) -> None:
    """Print a line for a step that is finished, with its number of units; print nothing before."""
    if done == total:
        console.print(f"{step}: {done:,} done")
