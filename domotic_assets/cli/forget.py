"""Shows what forgetting a home removes, asks, and removes it: `domotic forget`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.progress import progress
from domotic_assets.cli.terminal import confirm, open_console
from domotic_assets.settings import Settings

if TYPE_CHECKING:
    from domotic_assets.flow.workspace import Workspace

_out = open_console()
_err = open_console(stderr=True)


@click.command()
@sites_option
@lake_option
@click.argument("home")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--receipt",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the receipt goes, by default ./receipts/forget-….json.",
)
def forget(sites: Path, lake: str, home: str, yes: bool, receipt: Path | None) -> None:
    """Remove a home from every table and its history, from published files and from run records.

    sites.yaml must not name it any more, and nothing may work on the lake. It cannot be undone; broken
    off, it goes on when run again. The files on the share stay: docs/erasure.md says what else does.
    """
    with _err.status("looking"):
        from domotic_assets.flow.workspace import Workspace
        from domotic_assets.operate.forget import forget as forget_home
        from domotic_assets.operate.forget import look

        settings = Settings.of(sites, lake)
        found = look(Workspace.open(settings), home)
    span = "" if found.first is None else f", readings of {found.first} to {found.last}"
    _out.print(f"Home {home} in {settings.lake_root}{span}", soft_wrap=True)
    for table, rows in found.rows.items():
        _out.print(f"  {table:<36} {rows:>13,} rows")
    if not yes:
        confirm(f"Forget {home} for ever?")
    began = datetime.now(UTC)
    with progress(_err) as report:
        done = forget_home(Workspace.open(settings, report), home, _publish_from_nothing, receipt)
    removed = sum(table.rows_removed for table in done.journal.tables.values())
    took = (datetime.now(UTC) - began).total_seconds()
    _out.print(
        f"Forgotten in {took:.0f} s: {removed:,} rows of {len(done.journal.tables)} tables. "
        f"Nothing of it stands in the lake's {done.scanned['files']:,} files",
        soft_wrap=True,
    )
    _out.print(f"Receipt: {done.receipt}", soft_wrap=True)


def _publish_from_nothing(work: "Workspace") -> None:
    """Refresh the dimensions, then build the published file from nothing."""
    # Imports Dagster and dbt, which takes seconds: only once there is something to publish.
    from domotic_assets.orchestration.build import publish_from_nothing

    publish_from_nothing(work)
