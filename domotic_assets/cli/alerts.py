"""Tests the alert channels of sites.yaml: `domotic alerts`."""

import sys
from pathlib import Path

import click

from domotic_assets.cli.terminal import echo
from domotic_assets.errors import ConfigurationError, DomoticError
from domotic_assets.registry.loading import load_sites
from domotic_assets.settings import LAKE_VARIABLE, SITES_VARIABLE, Settings


@click.group()
def alerts() -> None:
    """Who is told when something is wrong."""


@alerts.command()
@click.option(
    "--sites",
    type=click.Path(path_type=Path, dir_okay=False),
    default="sites.yaml",
    envvar=SITES_VARIABLE,
    show_default=True,
    help="The registry that names the channels.",
)
@click.option("--lake", default="data", envvar=LAKE_VARIABLE, hidden=True)
def test(sites: Path, lake: str) -> None:
    """Send a test message to each channel, and say which took it."""
    from domotic_assets.alerts.channels import send
    from domotic_assets.alerts.messages import TEST

    loaded, settings = load_sites(sites), Settings.of(sites, lake)
    channels = loaded.registry.alerts.channels
    if not channels:
        raise ConfigurationError(
            "no alert channels",
            where=str(sites),
            expected="channels under alerts",
            remedy="name one as docs/alerts.md shows",
        )
    failed = 0
    for channel in channels:
        try:
            left_out = send(channel, TEST, loaded, settings)
        except DomoticError as error:
            failed += 1
            echo(f"{channel.name}: not accepted: {error}")
        else:
            echo(f"{channel.name}: accepted{f' ({left_out})' if left_out else ''}")
    sys.exit(1 if failed else 0)
