"""Writes the data of one home to a folder, for the people who live there: `domotic export`."""

from pathlib import Path

import click

from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.progress import progress
from domotic_assets.cli.terminal import open_console
from domotic_assets.settings import Settings

_out = open_console()
_err = open_console(stderr=True)


@click.command()
@sites_option
@lake_option
@click.argument("home")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder that does not exist yet, by default ./export-<home>-<date>.",
)
def export(sites: Path, lake: str, home: str, out: Path | None) -> None:
    """Write a home's data to a folder: its rows as Parquet and CSV, and its files as they were received."""
    with _err.status("starting"):
        from domotic_assets.flow.workspace import Workspace
        from domotic_assets.operate.export import export_home
    with progress(_err) as report:
        done = export_home(Workspace.open(Settings.of(sites, lake), report), home, out)
    rows = sum(table.rows for table in done.tables)
    _out.print(
        f"Exported {rows:,} rows of {len(done.tables)} tables and {done.files:,} files to {done.folder}",
        soft_wrap=True,
    )
