"""Prices: band edges on the home's clock, both clock-change days, validity and homes without a tariff."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from domotic_assets.domains.homes.gold.tariffs import cost_of, dim_tariff
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.homes.gold import DIM_TARIFF
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets_tests.support.builders import registry

HIGH, LOW, NEW, SUNDAY, FEED_IN = 0.30, 0.20, 0.40, 0.10, 0.09

# Weekdays high from 06:00 to 22:00, low around midnight; Saturday nothing; Sunday one price.
TARIFFS = f"""\
history_start: 2023-01-01
sources:
  sensor_files: {{kind: folder, address: share}}
  weather_files: {{kind: folder, address: weather}}
tariffs:
  - provider: oiken
    valid_from: 2023-01-01
    valid_to: 2024-01-01
    bands:
      - {{name: high, days: [mon, tue, wed, thu, fri], from: "06:00", to: "22:00", chf_per_kwh: {HIGH}}}
      - {{name: low, days: [mon, tue, wed, thu, fri], from: "22:00", to: "06:00", chf_per_kwh: {LOW}}}
      - {{name: sunday, days: [sun], from: "00:00", to: "24:00", chf_per_kwh: {SUNDAY}}}
  - provider: oiken
    valid_from: 2024-01-01
    feed_in_chf_per_kwh: {FEED_IN}
    bands: [{{name: flat, from: "00:00", to: "24:00", chf_per_kwh: {NEW}}}]
  - provider: coned
    valid_from: 2023-01-01
    bands: [{{name: noon, from: "12:00", to: "12:01", chf_per_kwh: 0.5}}]
  - provider: night
    valid_from: 2023-01-01
    bands: [{{name: early, days: [sun], from: "02:30", to: "03:30", chf_per_kwh: 0.6}}]
homes:
  - {{id: owls, name: Owls, feed_user: E, tariff: night}}
  - {{id: sion, name: Sion, feed_user: A, tariff: oiken}}
  - {{id: brig, name: Brig, feed_user: B, tariff: oiken}}
  - {{id: free, name: Free, feed_user: C}}
  - {{id: york, name: York, feed_user: D, tariff: coned, time_zone: America/New_York}}
"""


@pytest.fixture(scope="module")
def tariffs() -> Registry:
    return registry(TARIFFS)


def prices(tariffs: Registry, *minutes: tuple[str, str]) -> list[float | None]:
    """Prices of (UTC time, home)."""
    rows = pl.DataFrame(
        [(datetime.fromisoformat(text).replace(tzinfo=UTC), home) for text, home in minutes],
        schema={"ts": UTC_TIME, "home": pl.String()},
        orient="row",
    )
    return cost_of_a_kwh(rows, tariffs)


def cost_of_a_kwh(rows: pl.DataFrame, tariffs: Registry, fed_in: float = 0.0) -> list[float | None]:
    """Cost of 1 kWh taken, and so much fed in, at each row's minute and home."""
    used = rows.with_columns(
        since=pl.lit(None, UTC_TIME), energy_import_kwh=pl.lit(1.0), energy_export_kwh=pl.lit(fed_in)
    )
    priced = cost_of(used, tariffs)
    assert priced.drop("cost_chf").equals(used)
    assert priced.schema["cost_chf"] == pl.Float64()
    return priced["cost_chf"].to_list()


@pytest.mark.parametrize(
    ("utc", "price"),
    [
        # Monday 4 September 2023, summer time: local = UTC + 2 h.
        ("2023-09-04T03:59", LOW),
        ("2023-09-04T04:00", HIGH),
        ("2023-09-04T19:59", HIGH),
        ("2023-09-04T20:00", LOW),
        ("2023-09-04T21:59", LOW),
        ("2023-09-04T22:00", LOW),
        # The band is that of the local weekday: Friday's low ends at midnight, and so does Sunday's price.
        ("2023-09-08T21:59", LOW),
        ("2023-09-08T22:00", None),
        ("2023-09-09T21:59", None),
        ("2023-09-09T22:00", SUNDAY),
        ("2023-09-10T21:59", SUNDAY),
        ("2023-09-10T22:00", LOW),
        # Winter time: local = UTC + 1 h.
        ("2023-12-04T04:59", LOW),
        ("2023-12-04T05:00", HIGH),
    ],
)
def test_the_price_of_a_minute(tariffs: Registry, utc: str, price: float | None) -> None:
    assert prices(tariffs, (utc, "sion")) == [price]


@pytest.mark.parametrize(
    ("utc", "price"),
    [
        ("2022-12-31T22:59", None),
        ("2022-12-31T23:00", SUNDAY),
        ("2023-12-31T22:59", SUNDAY),
        ("2023-12-31T23:00", NEW),
        ("2033-06-04T12:00", NEW),
    ],
)
def test_valid_to_is_exclusive_and_local(tariffs: Registry, utc: str, price: float | None) -> None:
    assert prices(tariffs, (utc, "sion")) == [price]


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("first_utc", "minutes", "sunday"),
    [
        # Both clock changes fall on a Sunday: 25 and 23 hours of one price, and not a minute beside them.
        (datetime(2023, 10, 28, 22, tzinfo=UTC), 1500, SUNDAY),
        (datetime(2023, 3, 25, 23, tzinfo=UTC), 1380, SUNDAY),
    ],
)
def test_clock_change_days(tariffs: Registry, first_utc: datetime, minutes: int, sunday: float) -> None:
    around = pl.datetime_range(
        first_utc.replace(minute=0),
        first_utc.replace(minute=0) + pl.duration(minutes=minutes),
        "1m",
        eager=False,
    )
    rows = pl.select(ts=around.cast(UTC_TIME)).with_columns(home=pl.lit("sion"))
    found = cost_of_a_kwh(rows, tariffs)
    assert found == [sunday] * minutes + [LOW]
    assert prices(tariffs, (f"{first_utc:%Y-%m-%d}T{first_utc.hour - 1}:59", "sion")) == [None]


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("day", "priced"),
    [
        # 02:30 to 02:59 stands on the clock twice, then comes 03:00 to 03:29.
        (29, ["00:30", "00:59", "01:30", "01:59", "02:00", "02:29"]),
        # 02:00 to 02:59 never does: 03:00 follows 01:59, at 01:00 UTC.
        (26, ["01:00", "01:29"]),
    ],
)
def test_a_band_in_the_hour_of_the_change(tariffs: Registry, day: int, priced: list[str]) -> None:
    month = "10" if day == 29 else "03"
    minutes = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(240)]
    found = prices(tariffs, *[(f"2023-{month}-{day}T{minute}", "owls") for minute in minutes])
    held = [minute for minute, price in zip(minutes, found, strict=True) if price == 0.6]
    ranges = [minute for first, last in stretches(priced) for minute in minutes if first <= minute <= last]
    assert held == ranges


def stretches(edges: list[str]) -> list[tuple[str, str]]:
    """First and last minute of each stretch."""
    return list(zip(edges[::2], edges[1::2], strict=True))


def test_each_home_has_its_own_clock_and_tariff(tariffs: Registry) -> None:
    # 16:00 UTC is 18:00 in Brig and noon in New York.
    minutes = [("2023-09-04T16:00", home) for home in ("york", "free", "brig", "gone", "sion")]
    assert prices(tariffs, *minutes) == [0.5, None, HIGH, None, HIGH]
    assert prices(tariffs, ("2023-09-04T16:01", "york"), ("2023-09-04T15:59", "york")) == [None, None]


def test_a_band_that_ends_where_it_starts_holds_all_day() -> None:
    alike = registry(TARIFFS.replace('to: "12:01"', 'to: "12:00"'))
    minutes = ("2023-09-04T15:59", "2023-09-04T16:00", "2023-09-04T03:59", "2023-09-04T04:00")
    assert prices(alike, *((minute, "york") for minute in minutes)) == [0.5] * 4


def test_a_band_around_midnight_holds_from_its_first_minute_until_before_its_last() -> None:
    """From 23:59 to 06:00 in New York, four hours behind UTC."""
    nights = registry(TARIFFS.replace('from: "12:00", to: "12:01"', 'from: "23:59", to: "06:00"'))
    minutes = ("2023-09-04T03:58", "2023-09-04T03:59", "2023-09-04T09:59", "2023-09-04T10:00")
    assert prices(nights, *((minute, "york") for minute in minutes)) == [None, 0.5, 0.5, None]
    assert dim_tariff(nights).row(0)[5:7] == ("23:59", "06:00")


def test_without_any_tariff_prices_are_null() -> None:
    bare = registry(TARIFFS[: TARIFFS.index("tariffs:")] + "homes: [{id: free, name: Free, feed_user: C}]\n")
    assert prices(bare, ("2023-09-04T16:00", "free")) == [None]
    assert dim_tariff(bare).schema == DIM_TARIFF.schema


def test_the_price_list(tariffs: Registry) -> None:
    frame = dim_tariff(tariffs)
    assert frame.schema == DIM_TARIFF.schema
    every_day, until = "mon,tue,wed,thu,fri,sat,sun", date(2024, 1, 1)
    first = date(2023, 1, 1)
    assert frame.rows() == [
        ("coned", first, None, "noon", every_day, "12:00", "12:01", 0.5, 0.0),
        ("night", first, None, "early", "sun", "02:30", "03:30", 0.6, 0.0),
        ("oiken", first, until, "high", "mon,tue,wed,thu,fri", "06:00", "22:00", HIGH, 0.0),
        ("oiken", first, until, "low", "mon,tue,wed,thu,fri", "22:00", "06:00", LOW, 0.0),
        ("oiken", first, until, "sunday", "sun", "00:00", "24:00", SUNDAY, 0.0),
        ("oiken", until, None, "flat", every_day, "00:00", "24:00", NEW, FEED_IN),
    ]


def test_what_is_fed_in_earns_the_feed_in_price_of_its_date(tariffs: Registry) -> None:
    """None is given for 2023; from 2024 on it is the same at any time of day."""
    for utc, earned in (("2023-09-04T12:00", 0.0), ("2024-01-02T03:00", 2.0 * FEED_IN)):
        rows = pl.DataFrame(
            [(datetime.fromisoformat(utc).replace(tzinfo=UTC), "sion")],
            schema={"ts": UTC_TIME, "home": pl.String()},
            orient="row",
        )
        (without,), (fed_in,) = (cost_of_a_kwh(rows, tariffs, amount) for amount in (0.0, 2.0))
        assert without is not None
        assert fed_in == pytest.approx(without - earned)


@pytest.mark.parametrize(
    ("since", "until", "price"),
    [
        # From 21:58 to 22:02 local: minutes 59, and 00 to 02.
        ("2023-09-04T19:58", "2023-09-04T20:02", (HIGH + 3 * LOW) / 4),
        ("2023-09-04T19:00", "2023-09-04T19:58", HIGH),
        # Into Saturday, which has no price.
        ("2023-09-08T21:58", "2023-09-08T22:01", None),
    ],
)
def test_energy_of_a_gap_has_the_mean_price_of_its_minutes(
    tariffs: Registry, since: str, until: str, price: float | None
) -> None:
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (since, until))
    rows = pl.DataFrame(
        {"ts": [last], "since": [first], "home": ["sion"]},
        schema={"ts": UTC_TIME, "since": UTC_TIME, "home": pl.String()},
    ).with_columns(energy_import_kwh=pl.lit(1.0), energy_export_kwh=pl.lit(0.0))
    expected = None if price is None else pytest.approx(price)
    assert cost_of(rows, tariffs)["cost_chf"].item() == expected
