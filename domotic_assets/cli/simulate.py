"""Fills the sources with a simulated household world, as history or live: `domotic simulate`."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from domotic_assets.cli.terminal import echo, open_console
from domotic_assets.localtime import MINUTE, floor_minute
from domotic_assets.registry.entry import MINUTES_PER_DAY
from domotic_assets.registry.loading import load_sites
from domotic_assets.simulator.defects import ALL, DEFECTS
from domotic_assets.simulator.homes import with_homes, write_sites
from domotic_assets.simulator.run import (
    DEFAULT_SEED,
    DEFAULT_WEATHER_SITES,
    Conditions,
    Folders,
    Simulation,
    simulate_live,
    utc_day,
    write_history,
)
from domotic_assets.simulator.truth import TruthFiles, open_truth

DEFAULT_DAYS = 3

DEFECT_HELP = "\b\nDefects and their usual shares:\n" + "\n".join(
    f"  {name:<20}{defect.share:<8g}{defect.meaning}" for name, defect in DEFECTS.items()
)


class DefectShare(click.ParamType[tuple[str, float]]):
    """Option type for `NAME=SHARE`."""

    name = "name=share"

    def convert(
        self, value: str | tuple[str, float], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Parse the defect's name and its share; fail for an unknown name or a share outside 0 to 1."""
        if isinstance(value, tuple):
            return value
        name, _, share = value.partition("=")
        if name not in DEFECTS and name != ALL:
            self.fail(f"unknown defect {name!r}; allowed are {ALL}, {', '.join(sorted(DEFECTS))}", param, ctx)
        try:
            number = float(share)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            self.fail(f"found {value!r}; expected a share from 0 to 1, as in {name}=0.01", param, ctx)
        return name, number


@click.command(epilog=DEFECT_HELP, short_help="Fill the sources with a simulated household world.")
@click.option(
    "--sites",
    "sites_file",
    type=click.Path(path_type=Path),
    default=Path("sites.yaml"),
    show_default=True,
    help="Registry of the homes and of where their sources lie.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write share, later, weather, register.sqlite and a sites.yaml for them into this folder "
    "instead of the registry's addresses.",
)
@click.option(
    "--homes",
    type=click.IntRange(min=1),
    help="Number of homes: the registry's first, then generated ones (these need --out).",
)
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First UTC day of the history  [default: so that it reaches up to now]",
)
@click.option(
    "--days",
    type=click.IntRange(min=0),
    help=f"Whole UTC days of history  [default: {DEFAULT_DAYS}, with --live 0]",
)
@click.option(
    "--seed",
    type=int,
    default=DEFAULT_SEED,
    show_default=True,
    help="Same seed and arguments, same bytes and times.",
)
@click.option(
    "--weather-sites",
    type=click.IntRange(1, 23),
    default=DEFAULT_WEATHER_SITES,
    show_default=True,
    help="Sites in a forecast file; 23 give the field's 150,000 rows a day.",
)
@click.option(
    "--defect",
    "defects",
    type=DefectShare(),
    multiple=True,
    metavar="NAME=SHARE",
    help=f"Share of a defect; '{ALL}' for every one not named, '{ALL}=0' for a clean feed. Repeatable.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write what really happened, as CSV a home, into this folder.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Then go on: a file a minute and home. Begins where the history ends.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="With --live: simulated minutes a minute. Faster than 1 runs ahead of the clock, so name a "
    "--start in the past.",
)
@click.option("--minutes", type=click.IntRange(min=1), help="With --live: stop after so many minutes.")
@click.option(
    "--continue", "again", is_flag=True, help="Go on with what the share holds, its start, seed and defects."
)
@click.option("--if-empty", is_flag=True, help="Do nothing when the share holds files already.")
def simulate(
    sites_file: Path,
    out: Path | None,
    homes: int | None,
    start: datetime | None,
    days: int | None,
    seed: int,
    weather_sites: int,
    defects: tuple[tuple[str, float], ...],
    truth: Path | None,
    live: bool,
    speed: float,
    minutes: int | None,
    again: bool,
    if_empty: bool,
) -> None:
    """Fill the sources with a simulated household world: sensor files, forecasts and the register.

    A file's last-write time is its time of arrival. What arrives under a name that exists already (the
    second pass of the autumn hour, resends, completed files) goes to the folder `later` beside the share:
    copy it over the share with its times (cp -p) to let it arrive. Live, it is written in place.
    """
    if again and (start is not None or days is not None or defects):
        raise click.UsageError("--continue takes start, days and defects from what is there")
    if not live and (minutes is not None or speed != 1.0):
        raise click.UsageError("--speed and --minutes belong to --live")
    sites = load_sites(sites_file)
    known = len(sites.registry.homes)
    if out is None and (homes or 0) > known:
        raise click.UsageError(f"the registry has {known} homes; more of them need --out")
    registry = with_homes(sites.registry, homes or known)
    folders = Folders.of(sites) if out is None else Folders.below(out)
    folders.make()
    if if_empty and any(folders.share.iterdir()):
        echo(f"{folders.share} holds files already: nothing simulated", stderr=True)
        return
    if out is not None:
        write_sites(out / "sites.yaml", registry)
    now = datetime.now(UTC)
    if again:
        conditions = Conditions.read(folders)
        history_minutes = int((floor_minute(now) - conditions.start) / MINUTE)
    else:
        begin, history_minutes = history_span(start, days, live, now)
        conditions = Conditions(begin, seed, weather_sites, dict(defects))
        conditions.write(folders)
    simulation = Simulation(
        registry,
        conditions.start,
        seed=conditions.seed,
        defects=conditions.defects,
        weather_sites=conditions.weather_sites,
    )
    console = open_console(stderr=True)
    with open_truth(truth) as truth_files:
        goes_on = live or again or start is None
        _write_history(console, simulation, folders, history_minutes, truth_files, again, goes_on)
        if live:
            _go_live(console, simulation, folders, truth_files, speed, minutes)


def history_span(start: datetime | None, days: int | None, live: bool, now: datetime) -> tuple[datetime, int]:
    """Return the start of the history and its length in minutes; without `start` it reaches up to now."""
    if days is None:
        days = 0 if live else DEFAULT_DAYS
    if start is not None:
        return utc_day(start.date()), days * MINUTES_PER_DAY
    begin = utc_day(now.date() - timedelta(days=days))
    return begin, int((floor_minute(now) - begin) / MINUTE)


def _write_history(
    console: Console,
    simulation: Simulation,
    folders: Folders,
    minutes: int,
    truth: TruthFiles | None,
    again: bool,
    goes_on: bool,
) -> None:
    """Write the next `minutes` without waiting, show the progress, and print what was written.

    again: these minutes may have been written before; existing files are kept. goes_on: what arrives after
    these minutes is left to those that follow.
    """
    began = time.monotonic()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("simulating", total=minutes, rate="")

        def show(moment: datetime, files: int) -> None:
            rate = files / max(time.monotonic() - began, 1e-6)
            done = (moment - simulation.start) / MINUTE
            bar.update(task, completed=done, rate=f"{files:,} files, {rate:,.0f} a second")

        written = write_history(simulation, folders, minutes, truth, show, goes_on=goes_on, again=again)
    took = time.monotonic() - began
    console.print(
        f"Simulated {len(simulation.worlds)} homes from {simulation.start:%Y-%m-%d %H:%M} to "
        f"{simulation.now:%Y-%m-%d %H:%M} UTC: {written:,} files in {took:.1f} s "
        f"({written / max(took, 1e-6):,.0f} a second) in {folders.share.parent}",
        soft_wrap=True,
    )


def _go_live(
    console: Console,
    simulation: Simulation,
    folders: Folders,
    truth: TruthFiles | None,
    speed: float,
    minutes: int | None,
) -> None:
    """Write the live feed and show its moment; Ctrl+C ends it.

    speed: simulated minutes per real minute. minutes: how many minutes to simulate; None for no limit.
    """
    with console.status("live; Ctrl+C ends it") as status:

        def show(moment: datetime, files: int) -> None:
            status.update(f"live at {moment:%Y-%m-%d %H:%M} UTC, {files:,} files; Ctrl+C ends it")

        try:
            simulate_live(simulation, folders, speed=speed, minutes=minutes, truth=truth, progress=show)
        except KeyboardInterrupt:
            console.print(f"Live feed ended at {simulation.now:%Y-%m-%d %H:%M} UTC")
