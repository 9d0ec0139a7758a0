"""Prints to the terminal. Nothing else of the command does: whatever a text holds, it only shows.

Texts of feeds, registers and file names may hold what a terminal obeys, or what turns a line around. They are
written visibly at the last step, after any layout, so that no text can go past it.
"""

from collections.abc import Iterable, Sequence
from datetime import date, time, timedelta
from decimal import Decimal

import click
from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderHook, RenderResult
from rich.segment import Segment

from domotic_assets.escaping import spreadsheet_cell, visible_line, visible_lines


class _Visible:
    """Something to print, of which every text is written visibly."""

    def __init__(self, inner: Iterable[ConsoleRenderable]) -> None:
        self._inner = Group(*inner)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what is printed; signs that rich itself gives to the terminal stay."""
        for segment in console.render(self._inner, options):
            yield segment if segment.control else Segment(visible_lines(segment.text), segment.style)


class _Hook(RenderHook):
    """Passes all that a console prints through `_Visible`."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap what is about to be printed."""
        return [_Visible(renderables)]


def open_console(*, stderr: bool = False) -> Console:
    """Make a console whose texts are neither markup nor commands to the terminal."""
    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    made.push_render_hook(_Hook())
    return made


def echo(line: str, *, stderr: bool = False) -> None:
    """Print a line."""
    click.echo(visible_line(line), err=stderr)


def echo_lines(text: str, *, stderr: bool = False) -> None:
    """Print a text of several lines."""
    click.echo(visible_lines(text), err=stderr)


_NO_TEXT = (bool, int, float, Decimal, date, time, timedelta)
"""Types whose values keep their sign; whatever else there is may be text of a feed."""


def echo_rows(rows: Iterable[Sequence[object]]) -> None:
    """Print rows for other programs, spreadsheets among them: a line each, cells apart by tabs."""
    for row in rows:
        click.echo("\t".join(map(_cell, row)))


def _cell(value: object) -> str:
    """Format a value in full; None becomes an empty text."""
    if value is None or isinstance(value, _NO_TEXT):
        return "" if value is None else str(value)
    return visible_line(spreadsheet_cell(str(value)))


def confirm(question: str) -> None:
    """Ask a question; end the command unless the answer is yes."""
    click.confirm(visible_line(question), abort=True)
