"""Defines the `domotic` command, with a module for each of its subcommands.

Wording and layout belong here; the work is done elsewhere.
"""

import gc
import sys
import traceback

import click

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
from domotic_assets.cli.terminal import echo_lines, open_console
from domotic_assets.errors import DomoticError
from domotic_assets.owner_only import restrict_new_files

_err = open_console(stderr=True)


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
    """Run the command; print an error of ours as one line, any other as a traceback, and exit with code 1."""
    restrict_new_files()
    gc.set_threshold(NEW_OBJECTS_BEFORE_COLLECTION)
    try:
        cli()
    except DomoticError as error:
        _err.print(f"error: {error}", style="red", soft_wrap=True)
        sys.exit(1)
    except Exception:
        # A library's error may repeat what it was given.
        echo_lines(traceback.format_exc(), stderr=True)
        sys.exit(1)
