"""The feed's variables: every field of the sources is declared, with the bounds in use in the field."""

import pytest

from domotic_assets.schemas.homes.variables import (
    BATTERY_VARIABLES,
    CATEGORIES,
    VALIDITY_VARIABLES,
    VARIABLES,
)
from domotic_assets_tests.support.builders import payload


def test_ids_belong_to_declared_categories() -> None:
    for identifier, variable in VARIABLES.items():
        assert identifier == f"{variable.category}.{variable.field}"
        assert variable.category in CATEGORIES


def test_every_field_of_a_sample_file_is_declared() -> None:
    sample = payload()
    seen = {
        f"{category}.{field}"
        for category in ("plugs", "motions", "humidities", "consumptions")
        for readings in sample[category].values()
        for field in readings
    }
    seen |= {f"meteos.{field}" for station in sample["meteos"]["meteo"].values() for field in station}
    seen |= {
        f"doorsWindows.{field}" for room in sample["doorsWindows"].values() for item in room for field in item
    }
    assert len(seen) == 46
    assert seen <= VARIABLES.keys()


@pytest.mark.rule(7)
@pytest.mark.parametrize(
    ("variable", "minimum", "maximum", "unit"),
    [
        ("meteos.Temperature", -20, 60, "°C"),
        ("plugs.temperature", -20, 60, "°C"),
        ("motions.temperature", -20, 60, "°C"),
        ("humidities.temperature", -20, 60, "°C"),
        ("meteos.Humidity", 0, 100, "%"),
        ("humidities.humidity", 0, 100, "%"),
        ("meteos.CO2", 300, 5000, "ppm"),
        ("meteos.Noise", 0, 140, "dB"),
        ("meteos.Pressure", 870, 1085, "hPa"),
        ("meteos.AbsolutePressure", 500, 1100, "hPa"),
        ("plugs.power", 0, 10_000, "W"),
        ("doorsWindows.battery", 0, 100, "%"),
        ("meteos.battery_percent", 0, 100, "%"),
        ("humidities.devicePower", 0, 100, "%"),
        ("motions.light", 0, 200_000, "lux"),
        ("consumptions.voltage2", 180, 260, "V"),
        ("consumptions.power1", -30_000, 30_000, "W"),
        ("consumptions.total_power", -30_000, 30_000, "W"),
    ],
)
def test_bounds_and_units_are_those_of_the_field(
    variable: str, minimum: float, maximum: float, unit: str
) -> None:
    declared = VARIABLES[variable]
    assert (declared.minimum, declared.maximum, declared.unit) == (minimum, maximum, unit)


@pytest.mark.rule(7)
def test_counters_have_no_bounds() -> None:
    counters = [variable for variable in VARIABLES.values() if variable.kind == "counter"]
    assert {variable.id for variable in counters} == {
        "plugs.counter1", "plugs.counter2", "plugs.counter3", "plugs.total"
    }  # fmt: skip
    assert all(variable.minimum is None and variable.maximum is None for variable in counters)


def test_lists_of_variables_name_declared_ones() -> None:
    assert set(BATTERY_VARIABLES) <= VARIABLES.keys()
    assert set(VALIDITY_VARIABLES) <= VARIABLES.keys()
    assert {VARIABLES[name].kind for name in VALIDITY_VARIABLES} == {"flag"}
