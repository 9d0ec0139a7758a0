"""Defines the `domotic` command, with a module for each of its subcommands.

Wording and layout belong here; the work is done elsewhere.
"""

import gc
import sys

import click
from rich.console import Console

from domotic_assets.cli.alerts import alerts
from domotic_assets.cli.ask import query, summary
from domotic_assets.cli.build import build
from domotic_assets.cli.contract import contract
from domotic_assets.cli.export import export
from domotic_assets.cli.forget import forget
from domotic_assets.cli.live import live
from domotic_assets.cli.rejects import rejects
from domotic_assets.cli.sign_in import link, password
from domotic_assets.cli.simulate import simulate
from domotic_assets.cli.status import status
from domotic_assets.errors import DomoticError

_err = Console(stderr=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """A home-automation lakehouse: sensor files in, a Gold star schema out."""


for command in (
    alerts, build, contract, export, forget, link, live, password, query, rejects, simulate, status, summary,
):  # fmt: skip
    cli.add_command(command)


NEW_OBJECTS_BEFORE_COLLECTION = 50_000
"""New objects before Python looks for cycles. Imports and batches of files make many objects that stay: a
search after each 700 takes a tenth of a start, and of landing."""


def main() -> None:
    """Run the command; print an error of ours as one line and exit with code 1."""
    gc.set_threshold(NEW_OBJECTS_BEFORE_COLLECTION)
    try:
        cli()
    except DomoticError as error:
        _err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
