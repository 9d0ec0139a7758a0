"""Shows the state of each home's feed: `domotic status`."""

import sys
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.terminal import open_console
from domotic_assets.settings import Settings

_out = open_console()


@click.command()
@sites_option
@lake_option
def status(sites: Path, lake: str) -> None:
    """Show how the feed of each home stands: last file, lag, what is missing and what was refused."""
    from domotic_assets.flow.closing import opened_to_others
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.operate.publish import changed_files
    from domotic_assets.operate.status import HEADINGS, cells, feed_status

    work = Workspace.open(Settings.of(sites, lake))
    found = feed_status(work, work.now())
    table = Table(caption="UTC. today, missing: minutes of the local date so far, with and without a file.")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("last minute", "lag"))
    for home in found.homes:
        table.add_row(*map(Text, cells(home)))
    _out.print(table)
    _out.print(f"windows to process: {found.waiting:,}")
    if found.failing:
        _out.print(f"asked for more than once: {', '.join(found.failing)}")
    for name, since in found.unreachable.items():
        _out.print(f"cannot be read since {since:%Y-%m-%d %H:%M} UTC: the source of {name}", style="red")
    for line in (*opened_to_others(work.settings), *changed_files(work)):
        _out.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1 if found.unreachable else 0)
