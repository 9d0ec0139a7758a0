"""Units: spellings of one unit, conversions by their definitions, and what is left alone."""

import pytest

from domotic_assets.ingest.units import factor_and_offset, number_and_unit


def converted(value: float, unit: str, wanted: str) -> float | None:
    """A value in another unit, to 9 decimals; None if it cannot be converted."""
    found = factor_and_offset(unit, wanted)
    return None if found is None else round(value * found[0] + found[1], 9)


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "expected"),
    [
        (70, "°F", "°C", 21.111111111),
        (140, "°F", "°C", 60),
        (-40, "fahrenheit", "°C", -40),
        (68, "degrees F", "°C", 20),
        (20, "degrees C", "°C", 20),
        (294.15, "K", "°C", 21),
        (21.5, "deg C", "°C", 21.5),
        (21.5, "degrees Celsius", "°C", 21.5),
        (21.5, "℃", "°C", 21.5),
        (21.5, "ºC", "°C", 21.5),
        (0.001, "m", "mm", 1),
        (0.5, "inch", "mm", 12.7),
        (2, "cm", "mm", 20),
        (0.01, "ft", "mm", 3.048),
        (3, "litres/m²", "mm", 3),
        (3, "kg/m²", "mm", 3),
        (3, "kg m-2", "mm", 3),
        (0.408, "kW", "W", 408),
        (0.408, "KW", "W", 408),
        (2, "MW", "W", 2_000_000),
        (2, "mW", "W", 0.002),
        (81.983, "kWh", "Wh", 81_983),
        (1.5, "MWh", "Wh", 1_500_000),
        (7200, "J", "Wh", 2),
        (3.6, "MJ", "Wh", 1000),
        (18, "kJ", "Wh", 5),
        (2, "Wh", "Wmin", 120),
        (36, "km/h", "m/s", 10),
        (36, "km h⁻¹", "m/s", 10),
        (10, "mph", "m/s", 4.4704),
        (18, "knots", "m/s", 9.26),
        (10, "ft/s", "m/s", 3.048),
        (101_325, "Pa", "hPa", 1013.25),
        (101.325, "kPa", "hPa", 1013.25),
        (1.01325, "bar", "hPa", 1013.25),
        (1013.25, "mbar", "hPa", 1013.25),
        (760, "mmHg", "hPa", 1013.250144354),
        (30, "inHg", "hPa", 1015.9167),
        (0.45, "ratio", "%", 45),
        (45, "%", "%", 45),
        (1.2, "klux", "lux", 1200),
        (980, "PPM", "ppm", 980),
        (0.4, "kW / m^2", "W/m²", 400),
        (400, "Watt/m2", "W/m²", 400),
        (1.5, "h", "min", 90),
        (90, "s", "min", 1.5),
        (55, "dB(A)", "dB", 55),
    ],
)
def test_a_value_becomes_one_in_another_unit(value: float, unit: str, wanted: str, expected: float) -> None:
    assert converted(value, unit, wanted) == pytest.approx(expected, abs=2e-9)


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("mw", "W"),  # milli or mega
        ("MWH", "Wh"),
        ("k", "°C"),  # a thousand, or kelvin
        ("M", "mm"),
        ("W", "Wh"),
        ("Wh", "W"),
        ("%", "ppm"),
        ("kJ/m²", "W/m²"),
        ("mm/h", "mm"),
        ("", "°C"),
        ("furlong", "m"),
        ("°C", "furlong"),
        ("°C" * 1000, "°C"),
    ],
)
def test_what_is_unknown_or_another_quantity_is_not_converted(unit: str, wanted: str) -> None:
    assert factor_and_offset(unit, wanted) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("70 °F", (70, "°F")),
        (" 21,5 °C ", (21.5, "°C")),
        ("21.5°C", (21.5, "°C")),
        ("-3.5\u202f°C", (-3.5, "°C")),
        ("−3,5 °C", (-3.5, "°C")),
        ("+4 W", (4, "W")),
        ("1.2e3 W", (1200, "W")),
        ("0,408 kW", (0.408, "kW")),
        ("-0,408 kW", (-0.408, "kW")),
        ("45%", (45, "%")),
        ("5 deg C", (5, "deg C")),
        ("3 W extra", (3, "W extra")),
    ],
)
def test_a_number_with_a_unit_is_read(text: str, expected: tuple[float, str]) -> None:
    assert number_and_unit(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "21,5",
        "21",
        "",
        "°C",
        "n/a",
        "1,408 W",
        "1.234,5 W",
        "1'234 W",
        "1 2",
        "٣ W",
        "--3 W",
        "9" * 90 + " W",
    ],
)
def test_no_other_text_is_taken_for_a_number_with_a_unit(text: str) -> None:
    assert number_and_unit(text) is None
