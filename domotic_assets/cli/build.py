"""Processes what is new, or given days again, and shows what was done: `domotic build`."""

import time
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.progress import progress
from domotic_assets.cli.terminal import open_console
from domotic_assets.settings import Settings

# Dagster, Polars and DuckDB take a second and more to import: each command imports what it needs itself.
if TYPE_CHECKING:
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.orchestration.build import BuildReport

_out = open_console()
_err = open_console(stderr=True)

_day = click.DateTime(formats=["%Y-%m-%d"])

_LEFT = {
    "foreign name": "the name is not that of a sensor file",
    "foreign user": "no home in the registry sends as that user",
    "in the future": "their time lies over a day ahead of this machine's clock",
    "link out of the folder": "links that lead out of the folder; follow_links in sites.yaml",
    "no regular file": "pipes, sockets, devices or links that lead to none",
    "without a time": "neither name, content nor last write lies after history_start",
}


@click.command()
@sites_option
@lake_option
@click.option("--since", type=_day, help="First UTC day to build again.")
@click.option("--until", type=_day, help="Last UTC day to build again.")
def build(sites: Path, lake: str, since: datetime | None, until: datetime | None) -> None:
    """Process what is new in the sources, up to the published file.

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
    """Print what a build processed, the files left on the share, failed checks, and whether it published.

    took: duration of the build in seconds.
    """
    counts = {
        "window": (len(done.windows), " of sensor files"),
        "forecast": (len(done.issues), ""),
        "day": (len(done.health_days), " of device health"),
    }
    built = [f"{_count(number, what)}{of}" for what, (number, of) in counts.items() if number]
    if built:
        _out.print(f"Built {', '.join(built)} in {took:.0f} s")
    for what, number in sorted(done.left.items()):
        _out.print(f"Left on the share: {_count(number, 'file')} ({_LEFT.get(what, what)})")
    for check in done.failed_checks:
        style = "red" if check.severity == "ERROR" else "yellow"
        line = Text(f"{check.severity} {check.table} {check.name}: {check.what}", style=style)
        _out.print(line, soft_wrap=True)
    if done.published:
        _out.print(f"Published a new file in {work.serve}", soft_wrap=True)
    else:
        _out.print("Nothing new: the published file stays as it is")


def _count(number: int, what: str) -> str:
    """Write a number with its noun, such as `1 file` or `1,200 files`. what: the noun in the singular."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _date(moment: datetime | None) -> date | None:
    """Return the date of a moment; None for None."""
    return None if moment is None else moment.date()
