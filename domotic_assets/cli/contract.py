"""Compares the sources with the agreed contract, or accepts them as they are now: `domotic contract`."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.terminal import echo
from domotic_assets.settings import Settings

# Polars and Delta take a second to import: each command imports what it needs itself.
if TYPE_CHECKING:
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.quality.verdict import Verdict

_day = click.option(
    "--day",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    help="UTC day of the sensor files  [default: the newest that is over]",
)


@click.group()
def contract() -> None:
    """Compare the sources' shape with the contract, or agree to it."""


@contract.command()
@sites_option
@lake_option
@_day
@click.option(
    "--with", "other", type=click.Path(path_type=Path, dir_okay=False),
    help="Compare the register with that of this other registry instead.",
)  # fmt: skip
def diff(sites: Path, lake: str, day: datetime | None, other: Path | None) -> None:
    """Show what is new, gone or of another kind; exit code 1 where anything is gone or changed."""
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.quality import installed_contract
    from domotic_assets.quality.drift import drift

    work = Workspace.open(Settings.of(sites, lake))
    if other is not None:
        found = installed_contract.registers_differ(work, Workspace.open(Settings.of(other, lake)))
        _show(found, f"the register of {other} against that of {sites}")
    else:
        agreed, when = installed_contract.require_contract(work), _date(work, day)
        found = drift(agreed, installed_contract.observe(work, when))
        _show(
            found,
            f"{when}, the newest forecast and the register against {installed_contract.contract_file(work)}",
        )
    sys.exit(1 if found.severity == "ERROR" else 0)


@contract.command()
@sites_option
@lake_option
@_day
def accept(sites: Path, lake: str, day: datetime | None) -> None:
    """Write what the sources look like now into the contract."""
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.quality import installed_contract

    work = Workspace.open(Settings.of(sites, lake))
    found, result = installed_contract.accept(work, when := _date(work, day))
    _show(found, f"{when}, the newest forecast and the register against the contract until now")
    for words in result.kept:
        echo(f"kept, though not seen: {words}")
    echo(f"Wrote {installed_contract.contract_file(work)}: review the change and commit it")


def _date(work: "Workspace", day: datetime | None) -> date:
    """Return the date of `day`, or the newest finished UTC date with readings if `day` is None.

    Raises LakeError if no such date has readings.
    """
    from domotic_assets.quality.installed_contract import newest_whole_day

    return newest_whole_day(work, work.now()) if day is None else day.date()


def _show(found: "Verdict", what: str) -> None:
    """Print whether a comparison found differences, then each difference with its severity.

    what: what was compared with what, in words.
    """
    from domotic_assets.quality.drift import describe

    echo(f"{what}: {'as agreed' if found.passed else f'{len(found.breaches):,} differences'}")
    for breach in found.breaches:
        echo(f"{breach.severity:<5} {describe(breach)}")
