"""What the marts say of two homes around a midnight, worked out by hand; dbt itself is tested in test_dbt."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from domotic_assets_tests.support.admin_file import publish_admin

THURSDAY, FRIDAY = 4, 5


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    published = publish_admin(tmp_path_factory.mktemp("lake") / "serve", "any")
    with duckdb.connect(str(published)) as connection:
        # One forecast of the day before and one of the day; of 12:00 two steps, the lower of which counts.
        for issue, step, hour, temperature in (
            (20230913, 1, 12, -40.0),
            (20230914, 1, 11, 10.0),
            (20230914, 2, 12, 12.5),
            (20230914, 9, 12, 30.0),
        ):
            connection.execute(
                "INSERT INTO gold.fact_weather_hour BY NAME SELECT 202309140000 + ? * 100 AS datetime_key, "
                "20230914 AS date_key, site_key, ? AS issue_date_key, ? AS step, ? AS temperature_c_ctrl "
                "FROM gold.dim_weather_site WHERE name = 'Sion'",
                [hour, issue, step, temperature],
            )
    return published


def ask(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_occupancy_by_weekday_and_hour_of_the_calendars_zone(file: Path) -> None:
    """20:00 to midnight UTC is 22:00 on Thursday to 02:00 on Friday; every third minute has presence."""
    rows = ask(
        file,
        "SELECT day_of_week, local_hour, presence_minutes, minutes, days, round(presence_pct, 6) "
        "FROM marts.mart_occupancy_hourly WHERE room_id = 'jimmy/office' ORDER BY ALL",
    )
    hours = [(THURSDAY, 22), (THURSDAY, 23), (FRIDAY, 0), (FRIDAY, 1)]
    assert rows == [(*hour, 20, 60, 1, 33.333333) for hour in hours]


def test_energy_of_a_month(file: Path) -> None:
    """34 runs of 1 … 7 eighths of a Wh (28 each) and 1 + 2 eighths: 955 ÷ 8 Wh, kept as ÷ 1,024 here.

    A quarter of that is the cost. The home's midnight cuts the minutes into two dates.
    """
    rows = ask(
        file,
        "SELECT month_key, month_start, is_total, energy_kwh, cost_chf, unpriced_kwh, days, minutes "
        "FROM marts.mart_energy_monthly WHERE apartment_id = 'jimmy' ORDER BY device_id",
    )
    expected = (955 / 8 / 1024, 955 / 8 / 4096, 0.0, 2, 240)
    september = (202309, date(2023, 9, 1))
    assert rows == [(*september, True, *expected), (*september, False, *expected)]


def test_comfort_of_a_month(file: Path) -> None:
    """20 °C rising by 1/64 a minute: 0 … 239; carbon dioxide from 900 ppm by 1: 139 minutes above 1,000."""
    rows = ask(
        file,
        "SELECT month_key, temperature_c_avg, temperature_c_min, temperature_c_max, co2_ppm_avg, "
        "co2_ppm_max, humidity_pct_avg, below_19_c_pct, above_26_c_pct, above_1000_ppm_pct, minutes "
        "FROM marts.mart_comfort_monthly WHERE room_id = 'jeremie/office'",
    )
    assert rows == [
        (202309, 20 + 119.5 / 64, 20.0, 20 + 239 / 64, 1019.5, 1139.0, None, 0.0, 0.0, 100.0 * 139 / 240, 240)
    ]


def test_health_of_a_device(file: Path) -> None:
    """Three dates with 13, 14 and 15 errors."""
    rows = ask(
        file,
        "SELECT first_date, last_date, silent_days, uptime_7d_pct, missing_readings_7d, errors_7d, "
        "errors_30d, battery_pct, battery_date "
        "FROM marts.mart_device_health WHERE device_id = 'jimmy/office/plugs/1'",
    )
    last = date(2023, 9, 15)
    assert rows == [(date(2023, 9, 13), last, 0, 100.0, 0, 42, 42, 80.0, last)]


def test_the_weather_of_a_day_is_the_nearest_forecast(file: Path) -> None:
    rows = ask(
        file,
        "SELECT local_date, horizon_days, temperature_c_avg, temperature_c_min, temperature_c_max, hours "
        "FROM marts.mart_daily_weather_summary WHERE site_name = 'Sion' AND date_key = 20230914",
    )
    assert rows == [(date(2023, 9, 14), 0, 18.0, 10.0, 12.5, 22.0)]


def test_how_fresh_a_home_is(file: Path) -> None:
    """Four hours from 20:00 UTC; the calendar is Zurich's, two hours ahead."""
    rows = ask(file, "FROM marts.mart_feed_freshness WHERE apartment_id = 'jeremie' ORDER BY subject")
    newest = (202309142359, datetime(2023, 9, 14, 23, 59), datetime(2023, 9, 15, 1, 59))
    assert [row[1:] for row in rows] == [
        ("jeremie", "Apartment Jeremie", subject, *newest)
        for subject in ("energy", "environment", "presence")
    ]
