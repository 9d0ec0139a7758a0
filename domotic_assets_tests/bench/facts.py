"""The minute facts of a day: ours, from Silver's Parquet files to Gold's, against DuckDB over the same."""

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl

from domotic_assets.domains.homes.flows import facts
from domotic_assets.flow.windows import date_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration.build import build
from domotic_assets.schemas.homes import gold, silver
from domotic_assets.schemas.table import Table, surrogate_key
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import medians
from domotic_assets_tests.support.lakes import open_lake

DAYS = 3
REPEATS = 7
_STEPS: dict[Table, Callable[..., int]] = {
    gold.FACT_ENERGY_MINUTE: facts.energy_facts,
    gold.FACT_ENVIRONMENT_MINUTE: facts.environment_facts,
    gold.FACT_PRESENCE_MINUTE: facts.presence_facts,
}

_KEY = "CAST(strftime(ts, '%Y%m%d%H%M') AS BIGINT)"
_PLUGS = """
WITH plugs AS (
  SELECT ts, device,
    max(value) FILTER (variable = 'plugs.power' AND NOT is_outlier) AS power,
    max(value) FILTER (variable = 'plugs.total') AS total,
    coalesce(max(value) FILTER (variable = 'plugs.is_valid'), 1) = 1 AS valid
  FROM events WHERE variable IN ('plugs.power', 'plugs.total', 'plugs.is_valid') GROUP BY ALL
  HAVING count(value) FILTER (variable IN ('plugs.power', 'plugs.total')) > 0),
readings AS (
  SELECT *, lag(total) OVER w AS before, lead(total) OVER w AS after
  FROM plugs WHERE valid AND total >= 0 WINDOW w AS (PARTITION BY device ORDER BY ts)),
levels AS (
  SELECT ts, device, total, lag(total) OVER w AS level, lag(ts) OVER w AS since
  FROM readings WHERE NOT (before IS NOT NULL AND total < before AND after >= before)
  WINDOW w AS (PARTITION BY device ORDER BY ts)),
steps AS (
  SELECT *, CASE WHEN level IS NULL THEN 0 WHEN total >= level THEN total - level ELSE total END AS step
  FROM levels),
energy AS (
  SELECT ts, device, CASE WHEN level IS NULL OR step * 60 <= {bound} * date_diff('minute', since, ts)
    THEN step ELSE 0 END AS wh FROM steps)
SELECT {key} AS datetime_key, device, CASE WHEN valid THEN power END AS power_w,
  CASE WHEN valid AND total >= 0 THEN coalesce(wh, 0) END AS energy_wh
FROM plugs LEFT JOIN energy USING (ts, device) WHERE ts BETWEEN $first AND $last
UNION ALL
SELECT {key}, device, watts, watts * (1.0 / 60) FROM (
  SELECT ts, device, CASE
    WHEN valid1 AND valid2 AND valid3 THEN total
    WHEN valid1 OR valid2 OR valid3 THEN
      CASE WHEN valid1 THEN p1 ELSE 0 END + CASE WHEN valid2 THEN p2 ELSE 0 END
      + CASE WHEN valid3 THEN p3 ELSE 0 END END AS watts
  FROM (SELECT ts, device,
    max(value) FILTER (variable = 'consumptions.total_power' AND NOT is_outlier) AS total,
    max(value) FILTER (variable = 'consumptions.power1' AND NOT is_outlier) AS p1,
    max(value) FILTER (variable = 'consumptions.power2' AND NOT is_outlier) AS p2,
    max(value) FILTER (variable = 'consumptions.power3' AND NOT is_outlier) AS p3,
    coalesce(max(value) FILTER (variable = 'consumptions.is_valid1'), 1) = 1 AS valid1,
    coalesce(max(value) FILTER (variable = 'consumptions.is_valid2'), 1) = 1 AS valid2,
    coalesce(max(value) FILTER (variable = 'consumptions.is_valid3'), 1) = 1 AS valid3
    FROM events WHERE variable LIKE 'consumptions.%' AND ts BETWEEN $first AND $last GROUP BY ALL
    HAVING count(value) FILTER (variable IN ('consumptions.total_power', 'consumptions.power1',
      'consumptions.power2', 'consumptions.power3')) > 0))
"""
_AIR = """
WITH air AS (
  SELECT ts, room, variable, value, is_outlier, split_part(device, '/', 3) AS category FROM events
  WHERE ts BETWEEN $first AND $last AND split_part(device, '/', 3) IN ('meteos', 'humidities', 'motions')),
first_of AS (
  SELECT ts, room, min(CASE category WHEN 'meteos' THEN 1 WHEN 'humidities' THEN 2 ELSE 3 END) AS source
  FROM air GROUP BY ALL)
SELECT {key} AS datetime_key, room,
  max(value) FILTER (NOT is_outlier AND ((source = 1 AND variable = 'meteos.Temperature')
    OR (source = 2 AND variable = 'humidities.temperature')
    OR (source = 3 AND variable = 'motions.temperature'))) AS temperature_c,
  max(value) FILTER (NOT is_outlier AND ((source = 1 AND variable = 'meteos.Humidity')
    OR (source = 2 AND variable = 'humidities.humidity'))) AS humidity_pct,
  max(value) FILTER (NOT is_outlier AND variable = 'meteos.CO2') AS co2_ppm
FROM air JOIN first_of USING (ts, room) GROUP BY ALL
"""
_MOTION = """
WITH motion AS (
  SELECT ts, room, count(*) FILTER (value = 1) AS motions FROM events
  WHERE variable = 'motions.motion' GROUP BY ALL),
held AS (
  SELECT ts, room, motions, max(motions) OVER (PARTITION BY room ORDER BY ts
    RANGE BETWEEN INTERVAL 9 MINUTES PRECEDING AND CURRENT ROW) > 0 AS present FROM motion)
SELECT {key} AS datetime_key, room, motions AS motion_count, present AS presence_flag
FROM held WHERE ts BETWEEN $first AND $last
"""
_QUERIES = {
    gold.FACT_ENERGY_MINUTE: (_PLUGS, "device", ("power_w", "energy_wh")),
    gold.FACT_ENVIRONMENT_MINUTE: (_AIR, "room", ("temperature_c", "humidity_pct", "co2_ppm")),
    gold.FACT_PRESENCE_MINUTE: (_MOTION, "room", ("motion_count", "presence_flag")),
}
"""Of each fact a query of its main measures, what it is of, and the measures that are compared."""


def run(place: Path) -> list[Figure]:
    """CPU of each fact of a day, both ways, after the values have been found equal."""
    feed = samples.simulated(place, DAYS * 1440)
    lake = place / "lake-of-facts"
    shutil.rmtree(lake, ignore_errors=True)
    work = open_lake(feed.sites_file, lake)
    build(work)
    day = samples.FIRST_DAY.date() + timedelta(days=1)
    figures = [_of(work, day, table, place / "facts.parquet") for table in _STEPS]
    shutil.rmtree(lake)
    return figures


def _of(work: Workspace, day: date, table: Table, target: Path) -> Figure:
    rows = _compare(work, day, table)
    seconds = medians(
        {
            "ours": lambda: _STEPS[table](work, [date_window(day)]),
            "f": lambda: _by_duckdb(work, day, table, target),
        },
        REPEATS,
    )
    ratio = seconds["f"] / seconds["ours"]
    note = f"{rows:,} rows of equal values; both read Parquet and write it"
    return Figure(
        "facts", table.name, seconds["ours"], "CPU s", "(f) DuckDB", seconds["f"], ratio, 1.0, note=note
    )


def _by_duckdb(work: Workspace, day: date, table: Table, target: Path | None = None) -> pl.DataFrame:
    """The query over Silver's files of the day and those around it; written as Parquet where a target is."""
    around = {(day + timedelta(days=by)).isoformat() for by in (-1, 0, 1)}
    files = [
        file for file in work.lake.files(silver.SENSOR_EVENTS) if file.split("utc_date=")[1][:10] in around
    ]
    window = date_window(day)
    last = window.end - timedelta(minutes=1)
    query = _QUERIES[table][0].format(key=_KEY, bound=work.registry.settings.plug_power_bound_w)
    for name, moment in (("$first", window.start), ("$last", last)):
        query = query.replace(name, f"TIMESTAMPTZ '{moment:%Y-%m-%d %H:%M}+00'")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE VIEW events AS FROM read_parquet({files!r})")
        if target is not None:
            connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
            return pl.DataFrame()
        return pl.from_arrow(connection.sql(query).arrow())  # type: ignore[return-value]


def _compare(work: Workspace, day: date, table: Table) -> int:
    """How many rows both have; raises AssertionError where a row or a measure of one is not the other's."""
    _, of, measures = _QUERIES[table]
    key = f"{of}_key"
    theirs = _by_duckdb(work, day, table)
    theirs = theirs.with_columns(
        pl.col(of).map_elements(surrogate_key, return_dtype=pl.Int64).alias(key),
        *(pl.col(measure).cast(pl.Float64) for measure in measures),
    )
    ours = work.lake.read(table, dates=[day], columns=["datetime_key", key, *measures])
    ours = ours.with_columns(pl.col(measure).cast(pl.Float64) for measure in measures)
    # A room of which only a door reports is none of the query's.
    ours = ours.filter(pl.any_horizontal(pl.col(measure).is_not_null() for measure in measures))
    theirs = theirs.filter(pl.any_horizontal(pl.col(measure).is_not_null() for measure in measures))
    both = ours.join(theirs, on=["datetime_key", key], how="full", suffix=" theirs", coalesce=True)
    different = both.filter(
        pl.any_horizontal(
            (pl.col(measure) - pl.col(f"{measure} theirs")).abs().fill_null(0) > 1e-9 for measure in measures
        )
        | pl.any_horizontal(
            pl.col(measure).is_null() != pl.col(f"{measure} theirs").is_null() for measure in measures
        )
    )
    assert different.is_empty(), (
        f"{table.id}: {different.height} of {both.height} rows differ: {different.head(5)}"
    )
    return both.height
