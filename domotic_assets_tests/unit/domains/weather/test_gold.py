"""Forecast facts: the pivot, what a value stands for, local days, and the real week's measurements."""

import csv
import tarfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.domains.weather.gold import weather_day, weather_hour
from domotic_assets.domains.weather.silver import read_weather_files
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.schemas.weather import (
    FACT_WEATHER_DAY,
    FACT_WEATHER_HOUR,
    WEATHER_FILES,
    WEATHER_FORECASTS,
    WEATHER_MEASUREMENTS,
    WEATHER_VARIANTS,
)

pytestmark = pytest.mark.rule(10)

ZONE = "Europe/Zurich"
ISSUE = date(2023, 9, 4)
TEMPERATURE, HUMIDITY, RAIN, RADIATION = "PRED_T_2M", "PRED_RELHUM_2M", "PRED_TOT_PREC", "PRED_GLOB"


def at(hour: float, day: date = ISSUE) -> datetime:
    """That many hours after UTC midnight of the day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def row(
    valid_at: datetime,
    value: float | None,
    measurement: str = TEMPERATURE,
    *,
    step: int = 0,
    variant: str = "ctrl",
    outlier: bool = False,
    site: str = "Sion",
    issue: date = ISSUE,
) -> tuple[object, ...]:
    return (site, measurement, variant, valid_at, step, value, "x", outlier, "f1", issue)


def frame(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=WEATHER_FORECASTS.schema, orient="row")


def day_rows(rows: Sequence[tuple[object, ...]], *columns: str, zone: str = ZONE) -> list[tuple[object, ...]]:
    facts = weather_day(frame(rows), zone)
    assert facts.schema == FACT_WEATHER_DAY.schema
    return facts.sort("date_key").select("date_key", *columns).rows()


class TestHour:
    def test_measurements_and_variants_become_columns(self) -> None:
        rows = [
            row(at(22.5), 21.0, step=3),
            row(at(22.5), 19.0, step=3, variant="q10"),
            row(at(22.5), 0.4, "PRED_TOT_PREC", step=3, variant="stde"),
            row(at(22.5), 60.0, "PRED_DURSUN", step=3),
            row(at(22.5), 5.0, "PRED_SNOW", step=3),
            row(at(22.5), 5.0, step=3, variant="q50"),
        ]
        facts = weather_hour(frame(rows), ZONE)
        assert facts.schema == FACT_WEATHER_HOUR.schema
        assert facts.height == 1
        held = {name: value for name, value in facts.row(0, named=True).items() if value is not None}
        assert held == {
            "datetime_key": 202309042230,
            "date_key": 20230905,
            "site_key": surrogate_key("Sion"),
            "issue_date_key": 20230904,
            "step": 3,
            "temperature_c_ctrl": 21.0,
            "temperature_c_q10": 19.0,
            "precipitation_mm_stde": 0.4,
            "sunshine_min_ctrl": 60.0,
            "utc_date": ISSUE,
        }

    def test_every_step_issue_and_site_keeps_its_row(self) -> None:
        other = date(2023, 9, 3)
        rows = [
            row(at(0), 1.0),
            row(at(0), 2.0, step=3),
            row(at(0), 3.0, issue=other),
            row(at(0), 4.0, site="Visp"),
        ]
        facts = weather_hour(frame(rows), ZONE)
        assert sorted(facts["temperature_c_ctrl"]) == [1.0, 2.0, 3.0, 4.0]
        assert facts.unique(FACT_WEATHER_HOUR.primary_key).height == 4

    @pytest.mark.rule(7)
    def test_an_outlier_is_left_out_and_its_row_stays(self) -> None:
        facts = weather_hour(frame([row(at(0), 99.0, outlier=True), row(at(0), 40.0, HUMIDITY)]), ZONE)
        assert facts.select("temperature_c_ctrl", "humidity_pct_ctrl").rows() == [(None, 40.0)]

    def test_rows_of_an_outlier_alone_and_of_nothing_stay(self) -> None:
        rows = [row(at(0), 99.0, outlier=True), row(at(1), None), row(at(2), 5.0, "PRED_SNOW")]
        facts = weather_hour(frame(rows), ZONE)
        assert facts.select("datetime_key", "temperature_c_ctrl").rows() == [
            (202309040000, None),
            (202309040100, None),
        ]

    def test_of_one_minute_the_last_time_counts_measure_by_measure(self) -> None:
        second = 1 / 3600
        rows = [
            row(at(3 + 50 * second), 99.0, outlier=True),
            row(at(3 + 40 * second), 14.0),
            row(at(3 + 10 * second), 11.0),
            row(at(3 + 20 * second), 12.0),
            row(at(3 + 30 * second), 60.0, HUMIDITY),
            row(at(3 + 55 * second), None, RAIN),
            row(at(3), 0.5, RAIN),
            row(at(3 + 60 * second), 15.0),
        ]
        facts = weather_hour(frame(rows), ZONE)
        columns = ("datetime_key", "temperature_c_ctrl", "humidity_pct_ctrl", "precipitation_mm_ctrl")
        assert facts.select(columns).rows() == [
            (202309040300, 14.0, 60.0, None),
            (202309040301, 15.0, None, None),
        ]

    @given(st.integers(0, 2**32))
    def test_each_value_is_in_the_row_and_column_of_its_key(self, seed: int) -> None:
        chance = Random(seed)
        keys = {
            (
                chance.choice((ISSUE, date(2023, 9, 5))),
                chance.choice(("Sion", "Visp", "Aigle")),
                at(chance.randrange(4)),
                chance.randrange(3),
                chance.choice((*WEATHER_MEASUREMENTS, "PRED_SNOW")),
                chance.choice((*WEATHER_VARIANTS, "q50")),
            )
            for _ in range(chance.choice((1, 10, 200)))
        }
        rows = []
        expected: dict[tuple[object, ...], dict[str, float]] = {}
        for issue, site, time, step, measurement, variant in sorted(keys, key=lambda _: chance.random()):
            value, outlier = chance.choice((None, chance.random())), chance.random() < 0.1
            rows.append(
                row(
                    time,
                    value,
                    measurement,
                    step=step,
                    variant=variant,
                    outlier=outlier,
                    site=site,
                    issue=issue,
                )
            )
            if measurement in WEATHER_MEASUREMENTS and variant in WEATHER_VARIANTS:
                place = (issue, surrogate_key(site), int(f"{time:%Y%m%d%H%M}"), step)
                held = expected.setdefault(place, {})
                if value is not None and not outlier:
                    held[f"{WEATHER_MEASUREMENTS[measurement].column}_{variant}"] = value
        facts = weather_hour(frame(rows), ZONE)
        columns = ["utc_date", "site_key", "datetime_key", "step"]
        values = facts.drop(*columns, "date_key", "issue_date_key")
        assert facts.select(columns).rows() == sorted(expected)  # type: ignore[type-var]
        assert [
            {name: value for name, value in one.items() if value is not None}
            for one in values.iter_rows(named=True)
        ] == [expected[place] for place in sorted(expected)]  # type: ignore[type-var]

    def test_no_forecasts_give_no_rows(self) -> None:
        assert weather_hour(WEATHER_FORECASTS.empty(), ZONE).schema == FACT_WEATHER_HOUR.schema


class TestDay:
    def test_a_value_stands_for_the_time_since_the_valid_time_before_it(self) -> None:
        # 3 h at 10° and 1 h at 30°: (30 + 30) / 4 = 15; radiation 3 × 100 + 1 × 400 Wh; rain as it is.
        hours = [(0, 99.0, 9.0, 900.0), (3, 10.0, 0.5, 100.0), (4, 30.0, 1.0, 400.0)]
        rows = [
            row(at(hour), value, name)
            for hour, *values in hours
            for name, value in zip((TEMPERATURE, RAIN, RADIATION), values, strict=True)
        ]
        columns = (
            "temperature_c_avg",
            "precipitation_mm_sum",
            "radiation_whm2_sum",
            "humidity_pct_avg",
            "hours",
        )
        assert day_rows(rows, *columns) == [(20230904, 15.0, 1.5, 700.0, None, 4.0)]

    def test_keys_of_a_row(self) -> None:
        facts = weather_day(frame([row(at(8), 1.0), row(at(9), 2.0)]), ZONE)
        keys = facts.select("date_key", "site_key", "horizon_days", "utc_date").row(0)
        assert keys == (20230904, surrogate_key("Sion"), 0, ISSUE)

    def test_the_horizon_counts_days_from_the_issue(self) -> None:
        rows = [row(at(hour), 1.0) for hour in (0, 24, 48, 60)]
        assert day_rows(rows, "horizon_days") == [(20230904, 0), (20230905, 1), (20230906, 2)]

    def test_an_interval_across_local_midnight_is_shared_by_duration(self) -> None:
        # 20:00 to 02:00 UTC is 22:00 to 04:00 on the clock: 2 h before midnight and 4 h after it.
        hours = [(20, 0.0), (26, 6.0), (28, 12.0)]
        rows = [
            row(at(hour), value, name) for hour, value in hours for name in (TEMPERATURE, RAIN, RADIATION)
        ]
        columns = ("temperature_c_avg", "precipitation_mm_sum", "radiation_whm2_sum", "hours")
        assert day_rows(rows, *columns) == [
            (20230904, pytest.approx(6.0), pytest.approx(2.0), pytest.approx(12.0), pytest.approx(2.0)),
            # (4 h × 6 + 2 h × 12) / 6 h = 8; rain 6 × 4/6 + 12 = 16; radiation 4 × 6 + 2 × 12 = 48.
            (20230905, pytest.approx(8.0), pytest.approx(16.0), pytest.approx(48.0), pytest.approx(6.0)),
        ]

    def test_a_value_at_local_midnight_belongs_to_the_day_before(self) -> None:
        assert day_rows([row(at(21), 1.0), row(at(22), 2.0)], "temperature_c_avg", "hours") == [
            (20230904, 2.0, 1.0)
        ]

    def test_an_interval_may_span_a_whole_day(self) -> None:
        assert day_rows([row(at(20), 0.0), row(at(70), 5.0)], "hours") == [
            (20230904, 2.0),
            (20230905, 24.0),
            (20230906, 24.0),
        ]

    def test_the_lowest_step_with_a_good_control_value_counts_for_each_measurement(self) -> None:
        rows = [
            row(at(8), 0.0),
            row(at(8), 0.0, HUMIDITY),
            row(at(9), None, step=0),
            row(at(9), 99.0, step=1, outlier=True),
            row(at(9), 17.0, step=3),
            row(at(9), 18.0, step=6),
            row(at(9), 16.0, step=0, variant="q10"),
            row(at(9), 50.0, HUMIDITY, step=0),
        ]
        assert day_rows(rows, "temperature_c_avg", "humidity_pct_avg") == [(20230904, 17.0, 50.0)]

    def test_a_valid_time_without_a_good_value_leaves_its_interval_uncovered(self) -> None:
        rows = [row(at(8), 1.0), row(at(9), None), row(at(10), 99.0, outlier=True), row(at(11), 4.0)]
        assert day_rows(rows, "temperature_c_avg", "hours") == [(20230904, 4.0, 1.0)]

    def test_a_first_valid_time_without_a_value_still_opens_the_next_interval(self) -> None:
        assert day_rows([row(at(8), None), row(at(9), 4.0)], "temperature_c_avg", "hours") == [
            (20230904, 4.0, 1.0)
        ]

    def test_the_first_valid_time_stands_for_nothing(self) -> None:
        assert day_rows([row(at(8), 1.0)], "hours") == []

    def test_hours_are_those_of_the_least_covered_measure(self) -> None:
        rows = [row(at(hour), 1.0) for hour in (8, 9, 10)] + [row(at(hour), 1.0, RAIN) for hour in (8, 9)]
        assert day_rows(rows, "hours") == [(20230904, 1.0)]

    def test_issues_and_sites_do_not_mix(self) -> None:
        other = date(2023, 9, 3)
        rows = [
            row(at(8), 1.0), row(at(9), 10.0),
            row(at(8.5), 1.0, issue=other), row(at(9), 20.0, issue=other),
            row(at(8.75), 1.0, site="Visp"), row(at(9), 30.0, site="Visp"),
        ]  # fmt: skip
        facts = weather_day(frame(rows), ZONE).select(
            "site_key", "horizon_days", "temperature_c_avg", "hours"
        )
        assert set(facts.rows()) == {
            (surrogate_key("Sion"), 0, 10.0, 1.0),
            (surrogate_key("Sion"), 1, 20.0, 0.5),
            (surrogate_key("Visp"), 0, 30.0, 0.25),
        }

    @pytest.mark.rule(2)
    @pytest.mark.parametrize(
        ("day", "before_midnight_utc", "hours"),
        [(date(2023, 3, 26), 23, 23.0), (date(2023, 10, 29), 22, 25.0), (date(2023, 9, 4), 22, 24.0)],
    )
    def test_days_of_23_24_and_25_hours(self, day: date, before_midnight_utc: int, hours: float) -> None:
        start = at(before_midnight_utc - 24, day)
        rows = [row(start + timedelta(hours=n), 100.0, RADIATION, issue=day) for n in range(30)]
        first = day_rows(rows, "radiation_whm2_sum", "hours", "horizon_days")[0]
        assert first == (int(f"{day:%Y%m%d}"), hours * 100, hours, 0)

    def test_no_forecasts_give_no_rows(self) -> None:
        assert weather_day(WEATHER_FORECASTS.empty(), ZONE).schema == FACT_WEATHER_DAY.schema


def real_forecasts(shared: Path) -> pl.DataFrame:
    """Silver rows of the real week's forecast files."""
    files = []
    with tarfile.open(shared / "real_week" / "weather.tar.xz") as archive:
        for member in archive.getmembers():
            if member.name.endswith(".csv"):
                name = Path(member.name).name
                issue = date.fromisoformat(name[5:15])
                content = archive.extractfile(member)
                assert content is not None
                files.append((name, name, at(7, issue), at(7, issue), member.size, content.read(), issue))
    reading = read_weather_files(pl.DataFrame(files, schema=WEATHER_FILES.schema, orient="row"), [], {})
    assert reading.rejects.height == 0
    return reading.forecasts


def test_basel_by_utc_day_equals_the_measurements(shared: Path) -> None:
    facts = weather_hour(real_forecasts(shared), ZONE)
    lowest = (
        facts.filter(pl.col("site_key") == surrogate_key("Basel / Binningen"))
        .filter(pl.col("datetime_key") // 10_000 == pl.col("issue_date_key"))
        .sort("step")
        .group_by("issue_date_key", "datetime_key")
        # For each measure the lowest step that has a value.
        .agg(pl.col("^.*_ctrl$").drop_nulls().first())
    )
    by_day = (
        lowest.group_by("issue_date_key")
        .agg(
            pl.col("temperature_c_ctrl").mean().round(4),
            pl.col("temperature_c_ctrl").max().round(4).alias("maximum"),
            pl.col("precipitation_mm_ctrl").sum().round(4),
            pl.col("sunshine_min_ctrl").sum(),
        )
        .sort("issue_date_key")
    )
    with (shared / "real_week" / "truth" / "weather_basel_by_utc_day.csv").open(encoding="utf-8") as file:
        truth = [
            (int(line["date"].replace("-", "")), *map(float, list(line.values())[1:]))
            for line in csv.DictReader(file)
        ]
    assert len(truth) == 7
    assert by_day.rows() == truth
