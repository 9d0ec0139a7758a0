"""Defines the options that commands share."""

from pathlib import Path

import click

from domotic_assets.settings import LAKE_VARIABLE, SITES_VARIABLE

sites_option = click.option(
    "--sites", type=click.Path(path_type=Path, dir_okay=False), default="sites.yaml", envvar=SITES_VARIABLE,
    show_default=True, help="The registry of homes and sources.",
)  # fmt: skip
lake_option = click.option(
    "--lake", default="data", envvar=LAKE_VARIABLE, show_default=True, help="Folder or address of the lake."
)
