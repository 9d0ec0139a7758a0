"""Summarises a lake: Gold's main figures by home and local date, and how many files have which status."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import silver
from domotic_assets.serve.publish import published_file
from domotic_assets.serve.query import run_query

_BY_HOME_AND_DAY = """
WITH energy AS (
    SELECT apartment_id, local_date AS date, sum(energy_kwh) AS kwh, sum(cost_chf) AS chf
    FROM mart_energy_daily WHERE is_total GROUP BY ALL
), covered AS (
    SELECT apartment_id, date, count(DISTINCT datetime_key) / 60.0 AS hours
    FROM (
        SELECT apartment_key, date_key, datetime_key FROM fact_energy_minute
        UNION ALL SELECT apartment_key, date_key, datetime_key FROM fact_environment_minute
        UNION ALL SELECT apartment_key, date_key, datetime_key FROM fact_presence_minute
    ) JOIN dim_apartment USING (apartment_key) JOIN dim_date USING (date_key) GROUP BY ALL
), climate AS (
    SELECT a.apartment_id, d.date, avg(e.co2_ppm) AS co2_ppm
    FROM fact_environment_minute e
    JOIN dim_apartment a USING (apartment_key) JOIN dim_date d USING (date_key) GROUP BY ALL
), presence AS (
    SELECT apartment_id, date, count(*) FILTER (occupied) / 60.0 AS occupied_hours
    FROM (
        SELECT a.apartment_id, d.date, p.datetime_key, bool_or(p.presence_flag) AS occupied
        FROM fact_presence_minute p
        JOIN dim_apartment a USING (apartment_key) JOIN dim_date d USING (date_key) GROUP BY ALL
    ) GROUP BY ALL
)
SELECT apartment_id, date, hours, kwh, chf, co2_ppm, occupied_hours
FROM covered LEFT JOIN energy USING (apartment_id, date) LEFT JOIN climate USING (apartment_id, date)
LEFT JOIN presence USING (apartment_id, date)
ORDER BY apartment_id, date
"""


@dataclass(frozen=True)
class Summary:
    """The summary of a lake.

    days: one row per home and local date: home, date, hours of data, kWh, CHF, mean CO2 in ppm, occupied
    hours. files: number of file versions by status. events, rejects: numbers of events and of refused values.
    published: the file that was queried.
    """

    days: list[tuple[Any, ...]]
    files: dict[str, int]
    events: int
    rejects: int
    published: Path


def summarise(work: Workspace) -> Summary:
    """Read the summary from the published file and silver; raises LakeError if nothing is published."""
    file = published_file(work.serve)
    _, days = run_query(file, _BY_HOME_AND_DAY)
    files = work.lake.read(silver.SENSOR_FILES, columns=["status", "events"])
    rejects = work.lake.read(refusals.REJECTS, columns=["reason"])
    counts = dict(files.group_by("status").len().sort("status").iter_rows())
    return Summary(days, counts, int(files.select(pl.col("events").sum()).item()), rejects.height, file)
