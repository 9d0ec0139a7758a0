"""Queries the published file and summarises Gold: `domotic query` and `domotic summary`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.terminal import echo_rows, open_console
from domotic_assets.settings import Settings

# Dagster, Polars and DuckDB take a second and more to import: each command imports what it needs itself.
if TYPE_CHECKING:
    from domotic_assets.operate.summary import Summary

_out = open_console()


@click.command()
@lake_option
@click.argument("sql")
def query(lake: str, sql: str) -> None:
    """Ask the published file a question in SQL.

    For example: domotic query "SELECT * FROM mart_energy_daily LIMIT 5"
    """
    from domotic_assets.flow.closing import close_installation
    from domotic_assets.serve.publish import published_file
    from domotic_assets.serve.query import run_query

    settings = Settings.of(Path("sites.yaml"), lake)
    close_installation(settings)
    columns, rows = run_query(published_file(settings.serve), sql)
    if not _out.is_terminal:
        echo_rows([columns, *rows])
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    if sum(widths) + 3 * len(widths) < _out.width:
        _out.print(_table(columns, cells))
    else:
        for row in cells:
            _out.print(_table(["column", "value"], [list(pair) for pair in zip(columns, row, strict=True)]))


def _cell(value: Any) -> str:
    """Format a value as a short text."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _table(columns: list[str], rows: list[list[str]]) -> Table:
    """Make a table for the terminal from column headings and rows of texts; texts are shown as they are."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


@click.command()
@sites_option
@lake_option
def summary(sites: Path, lake: str) -> None:
    """Show energy, cost, air and presence by home and day."""
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.operate.summary import summarise

    _show(summarise(Workspace.open(Settings.of(sites, lake))))


def _show(found: "Summary") -> None:
    """Print a table of figures by home and local date, then totals and the path of the published file."""
    table = Table(
        title="What Gold answers, by home and local date",
        caption="data h: hours with readings. kWh and CHF: of the house meter, else of the plugs. "
        "occupied h: motion in any room, held a while.",
    )
    table.add_column("home")
    table.add_column("date")
    for column in ("data h", "kWh", "CHF", "CO₂ ppm", "occupied h"):
        table.add_column(column, justify="right")
    home: Any = None
    for apartment, day, *figures in found.days:
        if home is not None and apartment != home:
            table.add_section()
        home = apartment
        table.add_row(apartment, str(day), *map(_figure, figures, (1, 2, 2, 0, 1)))
    _out.print(table)
    outcomes = ", ".join(f"{number:,} {status}" for status, number in found.files.items())
    for name, value in (
        ("sensor files", outcomes or "none"),
        ("events", f"{found.events:,}"),
        ("values refused", f"{found.rejects:,}"),
        ("published file", str(found.published)),
    ):
        _out.print(f"{name:<15} {value}", soft_wrap=True)


def _figure(value: float | None, digits: int) -> str:
    """Format a figure with this many decimals and commas between thousands; None becomes `–`."""
    return "–" if value is None else f"{value:,.{digits}f}"
