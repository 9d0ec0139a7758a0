"""Lists refused values, shows the file behind them, and retries them after a fix: `domotic rejects`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from rich.table import Table
from rich.text import Text

from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.terminal import echo, echo_lines, echo_rows, open_console
from domotic_assets.settings import Settings

# Dagster and Polars take a second and more to import: each command imports what it needs itself.
if TYPE_CHECKING:
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.operate.rejects import RefusedFile, Selection

SHOWN_CHARACTERS = 10_000
SHOWN_VALUES = 50

_out = open_console()
_err = open_console(stderr=True)

_home = click.option("--home", help="Only those of this home.")
_day = click.option(
    "--day",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    help="Only those of this UTC day (forecasts: of issue).",
)
_reason = click.option("--reason", help="Only those with this reason code.")


@click.group()
def rejects() -> None:
    """Show what was refused and why, and try it again after a fix."""


@rejects.command("list")
@sites_option
@lake_option
@_home
@_day
@_reason
def list_(sites: Path, lake: str, home: str | None, day: datetime | None, reason: str | None) -> None:
    """Count refused values and quarantined files by home, day and reason, with an example of each."""
    from domotic_assets.operate.rejects import by_home_day_reason, meaning, refusals

    counted = by_home_day_reason(refusals(_open(sites, lake), _selection(home, day, reason)))
    if counted.is_empty():
        _out.print("Nothing was refused")
        return
    headings = ("home", "day", "reason", "refused", "files", "for example", "in file")
    if not _out.is_terminal:
        echo_rows([headings, *counted.iter_rows()])
        return
    table = Table(*headings, caption="`domotic rejects show FILE` shows a file")
    for row in counted.iter_rows():
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    _out.print(table)
    for code in counted["reason"].unique().sort():
        _out.print(f"{code}: {meaning(code)}")


@rejects.command()
@sites_option
@lake_option
@click.argument("file_id")
@click.option("--raw", is_flag=True, help="Write the exact bytes instead, secrets and all.")
@click.option("--output", type=click.File("wb"), default="-", help="With --raw: this file, not the screen.")
def show(sites: Path, lake: str, file_id: str, raw: bool, output: BinaryIO) -> None:
    """Show a file as it was received: its name, what was refused of it, and its text without secrets."""
    from domotic_assets.operate.rejects import file_behind

    work = _open(sites, lake)
    file = file_behind(work, file_id)
    if raw:
        output.write(file.content)
    else:
        _show(file, work)


def _show(file: "RefusedFile", work: "Workspace") -> None:
    """Print a file: its name, time of arrival, size, refused values, and text without secrets.

    At most SHOWN_VALUES refused values and SHOWN_CHARACTERS of text are printed.
    """
    from domotic_assets.operate.masked_file import masked_text
    from domotic_assets.operate.rejects import meaning

    echo(f"name     {file.name!r}")
    echo(f"arrived  {file.arrived_at:%Y-%m-%d %H:%M:%S} UTC, {len(file.content):,} bytes")
    echo(f"refused  {file.refused.height:,}")
    for row in file.refused.head(SHOWN_VALUES).iter_rows(named=True):
        whole = row["raw_text"] is None
        value = "" if whole else f" {row['raw_text']!r}"
        echo(f"  {row['json_path']}{value}: {row['reason']}, {meaning(row['reason'], whole)}")
    text = masked_text(file.content, [home.feed_user for home in work.registry.homes])
    echo("")
    echo_lines(text[:SHOWN_CHARACTERS])
    if len(text) > SHOWN_CHARACTERS:
        echo(f"… {len(text) - SHOWN_CHARACTERS:,} characters more: --raw writes all")


@rejects.command()
@sites_option
@lake_option
@_home
@_day
@_reason
def replay(sites: Path, lake: str, home: str | None, day: datetime | None, reason: str | None) -> None:
    """Read refused files again from bronze, with the present code and registry, and bring them to Gold."""
    with _err.status("carrying"):
        from domotic_assets.orchestration.replay import replay as replay_refusals

        work = _open(sites, lake)
        done = replay_refusals(work, _selection(home, day, reason), work.now())
    how = "by the live feed" if done.live else "by a build"
    if not done.outcomes:
        _out.print("Nothing was refused")
        return
    _out.print(f"Processed {len(done.windows):,} windows again {how}")
    for outcome, number in sorted(done.outcomes.items()):
        _out.print(f"{number:,} {outcome}")


def _open(sites: Path, lake: str) -> "Workspace":
    """Open the workspace of a sites.yaml and a lake. sites: path of the file. lake: root of the lake."""
    from domotic_assets.flow.workspace import Workspace

    return Workspace.open(Settings.of(sites, lake))


def _selection(home: str | None, day: datetime | None, reason: str | None) -> "Selection":
    """Make the filter for refusals; None matches any. day: only its date is used."""
    from domotic_assets.operate.rejects import Selection

    return Selection(home, None if day is None else day.date(), reason)
