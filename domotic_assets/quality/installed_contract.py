"""Reads and writes the contract beside sites.yaml, and observes the lake and the sources to compare with it.

What a shape is belongs in `shape`, what a difference means in `drift`. Of the register only names and types
are read, never its rows.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from domotic_assets.errors import ConfigurationError, LakeError
from domotic_assets.files_on_disk import write_whole
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.files import versions
from domotic_assets.ingest.harmless import shown_text
from domotic_assets.ingest.masking import MASK
from domotic_assets.ingest.secrets import Secrets, passes
from domotic_assets.quality.acceptance import Accepted, accepted, required
from domotic_assets.quality.contract import Contract, Groups, parse_contract, render_contract
from domotic_assets.quality.drift import NO_CONTRACT, drift
from domotic_assets.quality.shape import (
    FeedShape,
    ForecastShape,
    Shape,
    feed_shape,
    forecast_shape,
    register_shape,
)
from domotic_assets.quality.verdict import Breach, Verdict, together
from domotic_assets.registry.bounded_yaml import read_bounded
from domotic_assets.registry.loading import unreadable
from domotic_assets.schemas import refusals, weather
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.homes.variables import VARIABLES
from domotic_assets.schemas.register import REGISTER
from domotic_assets.sources.sql.columns import columns_of

CONTRACT = "contract.yaml"
UNAGREED = Verdict([Breach(CONTRACT, NO_CONTRACT, "WARN")])
"""Verdict of an installation without a contract: a warning, so that nobody is alerted."""

REMEMBERED = timedelta(days=31)
"""How long after a home was last heard its fields are not reported removed."""


def contract_file(work: Workspace) -> Path:
    """Return the path of the contract file, which lies beside sites.yaml."""
    return work.sites.folder / CONTRACT


def load_contract(work: Workspace) -> Contract | None:
    """Load the contract; None if there is no file. Raises ConfigurationError if it cannot be read."""
    file = contract_file(work)
    try:
        return parse_contract(read_bounded(file), str(file))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error) from None


def require_contract(work: Workspace) -> Contract:
    """Load the contract; raises ConfigurationError also if there is no file."""
    contract = load_contract(work)
    if contract is None:
        raise ConfigurationError(
            "no such file",
            where=str(contract_file(work)),
            expected="the contract of the sources, beside sites.yaml",
            remedy="write what the sources look like now with `domotic contract accept`",
        )
    return contract


def feed_drift(work: Workspace, day: date) -> Verdict:
    """Compare the sensor files of a UTC date with the contract."""
    return _judged(work, Shape(feed=observe_feed(work, day)))


def forecast_drift(work: Workspace, issues: Iterable[date]) -> Verdict:
    """Compare the forecasts of these dates of issue with the contract; each breach names its forecast.

    UNAGREED if there is no contract. Raises ConfigurationError if the contract cannot be read.
    """
    contract = load_contract(work)
    if contract is None:
        return UNAGREED
    verdicts = []
    for issue in issues:
        found = drift(contract, Shape(forecast=observe_forecast(work, issue)))
        dated = [
            replace(breach, figures={**breach.figures, "forecast": f"{issue}"}) for breach in found.breaches
        ]
        verdicts.append(replace(found, breaches=dated))
    return together(verdicts)


def register_drift(work: Workspace) -> Verdict:
    """Compare the register's present columns with the contract; raises SourceError if it cannot be read."""
    return _judged(work, Shape(register=observe_register(work)))


def _judged(work: Workspace, observed: Shape) -> Verdict:
    """Compare an observed shape with the contract; UNAGREED if there is no contract.

    Raises ConfigurationError if the contract cannot be read.
    """
    contract = load_contract(work)
    return UNAGREED if contract is None else drift(contract, observed)


def observe(work: Workspace, day: date) -> Shape:
    """Observe all sources: the feed of a UTC date, the newest forecast file and the present register.

    Raises LakeError if the date has no readings.
    """
    feed = observe_feed(work, day)
    if feed is None:
        raise _no_readings(work, f"no readings of {day}")
    issues = work.lake.dates(weather.WEATHER_FILES)
    forecast = observe_forecast(work, issues[-1]) if issues else None
    return Shape(feed, forecast, observe_register(work))


def newest_whole_day(work: Workspace, now: datetime) -> date:
    """Find the newest finished UTC date with readings; raises LakeError if there is none."""
    days = [day for day in work.lake.dates(silver.VARIABLES) if day < now.date()]
    if not days:
        raise _no_readings(work, "no whole day of readings")
    return days[-1]


def _no_readings(work: Workspace, what: str) -> LakeError:
    """Make the error of missing readings. what: which ones are missing, in words."""
    return LakeError(
        what,
        where=work.lake.uri(silver.VARIABLES),
        expected="a UTC date with readings that is over",
        remedy="build one with `domotic build`, or name another with --day",
    )


def observe_feed(work: Workspace, day: date) -> FeedShape | None:
    """Observe the shape of a UTC date's sensor files; None if no home sent anything."""
    variables = work.lake.read(silver.VARIABLES, dates=[day])
    devices = work.lake.read(silver.DEVICES, dates=[day])
    rejects = work.lake.read(refusals.REJECTS, dates=[day], where=pl.col("source") == "sensor_files")
    if variables.is_empty() and rejects.is_empty():
        return None
    silent = work.lake.read(silver.SENSOR_FILES, dates=[day], columns=["silent_devices"])
    heard = set(devices["home"]) | set(rejects["home"].drop_nulls())
    resting = {home.id for home in work.registry.homes} - heard
    return feed_shape(
        variables,
        devices,
        rejects,
        _unknown_events(work, day, variables["variable"]),
        silent["silent_devices"].explode().drop_nulls().unique().to_list(),
        _last_sent(work, resting, day) if resting else (),
    )


def _unknown_events(work: Workspace, day: date, variables: Iterable[str]) -> pl.DataFrame:
    """Read events of undeclared variables: variable, value, value_text. Reads nothing if there are none."""
    columns = ["variable", "value", "value_text"]
    unknown = [variable for variable in variables if variable not in VARIABLES]
    if not unknown:
        return silver.SENSOR_EVENTS.empty().select(columns)
    return work.lake.read(
        silver.SENSOR_EVENTS, dates=[day], where=pl.col("variable").is_in(unknown), columns=columns
    )


def _last_sent(work: Workspace, homes: set[str], day: date) -> set[str]:
    """List the variables that any of these homes sent on its own last date with data before `day`.

    Dates more than REMEMBERED before `day` are not searched.
    """
    before = [held for held in work.lake.dates(silver.DEVICES) if day - REMEMBERED <= held < day]
    seen = work.lake.read(
        silver.DEVICES, dates=before, where=pl.col("home").is_in(homes), columns=["home", "utc_date"]
    )
    sent: set[str] = set()
    for home, last in seen.group_by("home").agg(pl.col("utc_date").max()).iter_rows():
        events = work.lake.read(
            silver.SENSOR_EVENTS, dates=[last], where=pl.col("home") == home, columns=["variable"]
        )
        sent.update(events["variable"].unique())
    return sent


def observe_forecast(work: Workspace, issue: date) -> ForecastShape:
    """Observe columns, measurements and units of the latest version of the forecast of a date of issue."""
    held = versions(work.lake.read(weather.WEATHER_FILES, dates=[issue])).sort("arrived_at")
    # Without the last write, which may be of a year that no date can hold.
    file = held.select("file_id", "content").row(-1, named=True)
    forecasts = work.lake.read(
        weather.WEATHER_FORECASTS,
        dates=[issue],
        where=pl.col("file_id") == file["file_id"],
        columns=["measurement", "variant"],
    )
    shape = forecast_shape(file["content"], forecasts)
    users = Secrets.of({home.feed_user for home in work.registry.homes})

    def shown(text: str) -> str:
        return shown_text(text) if passes(text, users) else MASK

    measurements = shape.measurements and {
        measurement: {variant: replace(part, kind=shown(part.kind)) for variant, part in parts.items()}
        for measurement, parts in shape.measurements.items()
    }
    return ForecastShape(tuple(map(shown, shape.columns)), measurements)


def observe_register(work: Workspace) -> Groups | None:
    """Observe the register's tables and columns; None if sites.yaml names no register."""
    source = work.database("register_rows", REGISTER)
    return None if source is None else register_shape(columns_of(source))


def accept(work: Workspace, day: date) -> tuple[Verdict, Accepted]:
    """Write the contract that agrees with the sources now.

    Returns the drift from the contract before, and the new contract with what it keeps. Raises LakeError if
    the date has no readings, ConfigurationError if the file cannot be written.
    """
    contract = load_contract(work) or Contract()
    observed = observe(work, day)
    result = accepted(contract, observed)
    file = contract_file(work)
    try:
        write_whole(file, render_contract(result.contract).encode())
    except OSError as error:
        raise ConfigurationError(
            f"cannot be written ({error.strerror})",
            where=str(file),
            expected="a folder that this user may write",
            remedy="give this user the right to write beside sites.yaml",
        ) from None
    return drift(contract, observed), result


def registers_differ(work: Workspace, other: Workspace) -> Verdict:
    """Compare every column of the register of another registry with this one's.

    Raises ConfigurationError if either registry names no register.
    """
    ours, theirs = observe_register(work), observe_register(other)
    for workspace, shape in ((work, ours), (other, theirs)):
        if shape is None:
            raise ConfigurationError(
                "names no register",
                where=str(workspace.settings.sites_file),
                expected="sources.register_rows",
                remedy="compare registries that have one",
            )
    assert ours is not None
    return drift(Contract(register=required(ours)), Shape(register=theirs))
