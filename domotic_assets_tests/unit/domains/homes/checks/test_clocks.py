"""Clocks of devices and of homes."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domotic_assets.domains.homes.checks.clocks import clocks

START = datetime(2023, 9, 4, 12, tzinfo=UTC)
READINGS = 5


def readings(**offsets: float) -> pl.DataFrame:
    """Each device of a home (`home_device`) states the file's minute and an offset in seconds."""
    return pl.DataFrame(
        [
            {
                "ts": (at := START + timedelta(minutes=minute)),
                "home": device.split("_")[0],
                "device": device,
                "value": at.timestamp() + offset,
            }
            for device, offset in offsets.items()
            for minute in range(READINGS)
        ],
        schema_overrides={"ts": pl.Datetime("us", "UTC"), "value": pl.Float64},
    )


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ({"jimmy_a": 0, "jimmy_b": 59}, []),
        ({"jimmy_a": 300, "jimmy_b": -300}, []),
        ({"jimmy_a": 301, "jimmy_b": 0}, [("jimmy_a", "device_clock", "WARN", 5.0)]),
        ({"jimmy_a": -6000, "jimmy_b": 0}, [("jimmy_a", "device_clock", "WARN", -100.0)]),
        # All alike: the file's own clock, which then is off the other way.
        ({"jimmy_a": 1000, "jimmy_b": 1060}, [("jimmy", "home_clock", "ERROR", -17.2)]),
        ({"jimmy_a": 7200, "jimmy_b": 7230}, [("jimmy", "clock_zone", "ERROR", -120.2)]),
        ({"jimmy_a": -3600, "jimmy_b": -3600}, [("jimmy", "clock_zone", "ERROR", 60.0)]),
        # Both off, not alike.
        (
            {"jimmy_a": 1000, "jimmy_b": -1000},
            [("jimmy_a", "device_clock", "WARN", 16.7), ("jimmy_b", "device_clock", "WARN", -16.7)],
        ),
        # One witness is no home.
        ({"jimmy_a": 1000}, [("jimmy_a", "device_clock", "WARN", 16.7)]),
        (
            {"jimmy_a": 0, "jimmy_b": 0, "jeremie_a": 900, "jeremie_b": 900},
            [("jeremie", "home_clock", "ERROR", -15.0)],
        ),
    ],
)
def test_whose_clock_is_off(offsets: dict[str, float], expected: list[tuple[str, str, str, float]]) -> None:
    found = clocks(readings(**offsets)).breaches
    assert [(b.subject, b.reason, b.severity, b.figures["minutes ahead"]) for b in found] == expected


def test_a_single_odd_reading_is_no_drift() -> None:
    odd = readings(jimmy_a=0).with_columns(
        pl.when(pl.col("ts") == START).then(0.0).otherwise("value").alias("value")
    )
    assert clocks(odd).passed
