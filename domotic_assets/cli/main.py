"""The `domotic` command: what a person types. Work is done elsewhere; words and looks belong here."""

import gc
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domotic_assets.cli.alerts import alerts
from domotic_assets.cli.contract import contract
from domotic_assets.cli.export import export
from domotic_assets.cli.forget import forget
from domotic_assets.cli.live import run_live
from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.progress import progress
from domotic_assets.cli.rejects import rejects
from domotic_assets.cli.simulate import simulate
from domotic_assets.errors import DomoticError
from domotic_assets.registry import load_sites
from domotic_assets.settings import Settings

# Dagster, Polars and DuckDB take a second and more to import: each command imports what it needs itself.
if TYPE_CHECKING:
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.operate.summary import Summary
    from domotic_assets.orchestration.build import BuildReport

_out = Console()
_err = Console(stderr=True)

_day = click.DateTime(formats=["%Y-%m-%d"])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """A home-automation lakehouse: sensor files in, a Gold star schema out."""


cli.add_command(simulate)
cli.add_command(contract)
cli.add_command(alerts)
cli.add_command(rejects)
cli.add_command(export)
cli.add_command(forget)


@cli.command()
@sites_option
@lake_option
@click.option("--since", type=_day, help="First UTC day to build again.")
@click.option("--until", type=_day, help="Last UTC day to build again.")
def build(sites: Path, lake: str, since: datetime | None, until: datetime | None) -> None:
    """Carry what is new in the sources to the published file.

    With --since or --until: build those days again, whatever is new.
    """
    began = time.monotonic()
    with _err.status("starting"):
        from domotic_assets.flow.workspace import Workspace
        from domotic_assets.orchestration import build as building
    with progress(_err) as report:
        work = Workspace.open(Settings.of(sites, lake), report)
        done = building.build(work, _date(since), _date(until))
    _show_build(done, work, time.monotonic() - began)


def _show_build(done: "BuildReport", work: "Workspace", took: float) -> None:
    counts = {
        "window": (len(done.windows), " of sensor files"),
        "forecast": (len(done.issues), ""),
        "day": (len(done.health_days), " of device health"),
    }
    built = [f"{_count(number, what)}{of}" for what, (number, of) in counts.items() if number]
    if built:
        _out.print(f"Built {', '.join(built)} in {took:.0f} s", highlight=False)
    for what, number in sorted(done.left.items()):
        _out.print(f"Left on the share: {_count(number, 'file')} ({_LEFT.get(what, what)})", highlight=False)
    for check in done.failed_checks:
        style = "red" if check.severity == "ERROR" else "yellow"
        line = Text(f"{check.severity} {check.table} {check.name}: {check.what}", style=style)
        _out.print(line, soft_wrap=True)
    if done.published:
        _out.print(f"Published a new file in {work.serve}", highlight=False, soft_wrap=True)
    else:
        _out.print("Nothing new: the published file stays as it is")


_LEFT = {
    "foreign name": "the name is not that of a sensor file",
    "foreign user": "no home in the registry sends as that user",
}


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@cli.command()
@lake_option
@click.argument("sql")
def query(lake: str, sql: str) -> None:
    """Ask the published file a question in SQL.

    For example: domotic query "SELECT * FROM mart_energy_daily LIMIT 5"
    """
    from domotic_assets.serve.query import query_published

    columns, rows = query_published(lake, sql)
    cells = [[_cell(value) for value in row] for row in rows]
    if not _out.is_terminal:
        for line in (columns, *cells):
            click.echo("\t".join(line))
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    if sum(widths) + 3 * len(widths) < _out.width:
        _out.print(_table(columns, cells))
    else:
        for row in cells:
            _out.print(_table(["column", "value"], [list(pair) for pair in zip(columns, row, strict=True)]))


def _cell(value: Any) -> str:
    """A value as text: whole for other programs, short on a terminal."""
    if isinstance(value, float) and _out.is_terminal:
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _table(columns: list[str], rows: list[list[str]]) -> Table:
    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


@cli.command()
@sites_option
@lake_option
def summary(sites: Path, lake: str) -> None:
    """Show energy, cost, air and presence by home and day."""
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.operate.summary import summarise

    _show(summarise(Workspace.open(Settings.of(sites, lake))))


def _show(found: "Summary") -> None:
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
        _out.print(f"{name:<15} {value}", highlight=False, soft_wrap=True)


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


@cli.command()
@sites_option
@lake_option
@click.option(
    "--port", type=click.IntRange(1024, 65535), default=3000, show_default=True, help="Port on this machine."
)
@click.option("--simulate", "simulated", is_flag=True, help="Go on with the simulated feed, a file a minute.")
def live(sites: Path, lake: str, port: int, simulated: bool) -> None:
    """Carry the feed as it comes, and show tables, graph, runs and checks in Dagster's UI."""
    from domotic_assets.operate.forget_journal import refuse_unfinished

    load_sites(sites)  # a wrong registry is said in one line here, in pages of them by Dagster
    settings = Settings.of(sites, lake)
    refuse_unfinished(settings.lake_root)
    domotic = str(Path(sys.executable).with_name("domotic"))
    feed = [domotic, "simulate", "--sites", str(sites.resolve()), "--continue"]
    if simulated:
        from domotic_assets.flow.worklist import LISTED_WHOLE, WorkList

        # What the simulated homes sent until now comes at once, and late: a listing finds it.
        subprocess.run(feed, check=True)  # nosec B603
        WorkList(settings.dagster_home).change(lambda held: held.unmark(LISTED_WHOLE))
    sys.exit(run_live(settings, port, _err, [*feed, "--live"] if simulated else None))


@cli.command()
@sites_option
@lake_option
def status(sites: Path, lake: str) -> None:
    """Show how the feed of each home stands: last file, lag, what is missing and what was refused."""
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.operate.status import HEADINGS, cells, feed_status

    found = feed_status(Workspace.open(Settings.of(sites, lake)), datetime.now(UTC))
    table = Table(caption="UTC. today, missing: minutes of the local date so far, with and without a file.")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("last minute", "lag"))
    for home in found.homes:
        table.add_row(*map(Text, cells(home)))
    _out.print(table)
    _out.print(f"windows to be carried: {found.waiting:,}", highlight=False)
    if found.failing:
        _out.print(f"asked for more than once: {', '.join(found.failing)}", highlight=False)
    for name, since in found.unreachable.items():
        _out.print(f"cannot be read since {since:%Y-%m-%d %H:%M} UTC: the source of {name}", style="red")
    sys.exit(1 if found.unreachable else 0)


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


NEW_OBJECTS_BEFORE_COLLECTION = 50_000
"""Imports and batches of files make many objects that stay: to look for cycles after each 700 takes a tenth
of a start, and of landing."""


def main() -> None:
    """Run the command; an error of ours is one line and exit code 1."""
    gc.set_threshold(NEW_OBJECTS_BEFORE_COLLECTION)
    try:
        cli()
    except DomoticError as error:
        _err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
