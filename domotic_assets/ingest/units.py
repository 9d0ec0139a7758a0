"""Converts between units of one quantity, in whatever spelling a feed or a forecast writes them.

Every unit of a reading belongs here, with all its spellings. Which unit a variable has is declared in
`schemas`.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_LONGEST_UNIT, _LONGEST_QUANTITY = 40, 80
"""Characters from which a text names no unit, and is no number with a unit."""

DECIMALS = 9
"""Decimals that a converted value keeps: 140 °F is 60 °C, and no error of rounding makes it an outlier."""


class _Unit(NamedTuple):
    """A unit: value × factor + offset is the value in its quantity's first unit.

    spellings: read in any letter case. exact: read in this letter case alone, as another one is another
    unit or none: `MW` is no `mW`, `K` is no kilo.
    """

    factor: float
    offset: float
    spellings: str
    exact: str = ""


_FAHRENHEIT = 5 / 9
_QUANTITIES = (
    (  # temperature
        _Unit(1, 0, "°C C degC degreeC degreesC gradC celsius centigrade degreeCelsius degreesCelsius"),
        _Unit(1, 0, "gradCelsius degrésCelsius"),
        _Unit(_FAHRENHEIT, -32 * _FAHRENHEIT, "°F F degF degreeF degreesF fahrenheit degreeFahrenheit"),
        _Unit(_FAHRENHEIT, -32 * _FAHRENHEIT, "degreesFahrenheit gradFahrenheit"),
        _Unit(1, -273.15, "°K degK kelvin kelvins degreeKelvin degreesKelvin", "K"),
    ),
    (  # depth of water
        _Unit(1, 0, "mm millimeter millimeters millimetre millimetres kg/m2 kgm-2 l/m2 lm-2 l/qm liter/m2"),
        _Unit(1, 0, "liters/m2 litre/m2 litres/m2"),
        _Unit(10, 0, "cm centimeter centimeters centimetre centimetres"),
        _Unit(1000, 0, "meter meters metre metres", "m"),
        _Unit(25.4, 0, 'in inch inches zoll "'),
        _Unit(304.8, 0, "ft foot feet"),
    ),
    (  # power
        _Unit(1, 0, "W watt watts"),
        _Unit(0.001, 0, "milliwatt milliwatts", "mW"),
        _Unit(1e3, 0, "kW kilowatt kilowatts"),
        _Unit(1e6, 0, "megawatt megawatts", "MW"),
    ),
    (  # energy
        _Unit(1, 0, "Wh wattHour wattHours wattstunde wattstunden"),
        _Unit(0.001, 0, "milliwattHour milliwattHours", "mWh"),
        _Unit(1e3, 0, "kWh kilowattHour kilowattHours kilowattstunde kilowattstunden"),
        _Unit(1e6, 0, "megawattHour megawattHours megawattstunde megawattstunden", "MWh"),
        _Unit(1 / 60, 0, "Wmin wattMinute wattMinutes wattminuten"),
        _Unit(1 / 3600, 0, "J joule joules Ws wattSecond wattSeconds wattsekunden"),
        _Unit(1e3 / 3600, 0, "kJ kilojoule kilojoules"),
        _Unit(1e6 / 3600, 0, "megajoule megajoules", "MJ"),
    ),
    (  # speed
        _Unit(1, 0, "m/s ms-1 mps meterPerSecond metersPerSecond metrePerSecond metresPerSecond"),
        _Unit(1 / 3.6, 0, "km/h kmh kmh-1 kph kmph kilometersPerHour kilometresPerHour"),
        _Unit(0.44704, 0, "mph mi/h mile/h miles/h milesPerHour"),
        _Unit(0.3048, 0, "ft/s feetPerSecond"),
        _Unit(1852 / 3600, 0, "kn kt kts knot knots knoten"),
    ),
    (  # pressure
        _Unit(1, 0, "hPa hectopascal hectopascals hektopascal mb mbar millibar millibars"),
        _Unit(0.01, 0, "Pa pascal pascals"),
        _Unit(10, 0, "kPa kilopascal kilopascals"),
        _Unit(1e4, 0, "megapascal megapascals", "MPa"),
        _Unit(1e3, 0, "bar bars"),
        _Unit(1.33322387415, 0, "mmHg torr"),
        _Unit(33.86389, 0, 'inHg "Hg'),
    ),
    (  # share of a whole
        _Unit(1, 0, "% percent prozent pct %RH %rF"),
        _Unit(0.1, 0, "‰ permille promille"),
        _Unit(100, 0, "1 ratio fraction share"),
    ),
    (  # light on a surface
        _Unit(1, 0, "lux lx lm/m2 lumen/m2"),
        _Unit(1e3, 0, "klux klx kilolux"),
        _Unit(10.76391041671, 0, "fc footcandle footcandles"),
    ),
    (  # concentration
        _Unit(1, 0, "ppm partsPerMillion"),
        _Unit(0.001, 0, "ppb partsPerBillion"),
    ),
    (  # level of sound
        _Unit(1, 0, "dB dBA decibel decibels dezibel"),
    ),
    (  # power of the sun on a surface
        _Unit(1, 0, "W/m2 Wm-2 watt/m2 watts/m2 wattPerSquareMeter wattsPerSquareMeter"),
        _Unit(1e3, 0, "kW/m2 kWm-2 kilowatt/m2"),
    ),
    (  # duration
        _Unit(1, 0, "sec secs second seconds sekunde sekunden", "s"),
        _Unit(0.001, 0, "millisecond milliseconds millisekunden", "ms"),
        _Unit(60, 0, "min mins minute minutes minuten"),
        _Unit(3600, 0, "hr hrs hour hours stunde stunden heure heures", "h"),
        _Unit(86_400, 0, "day days tag tage", "d"),
    ),
    (  # electric current
        _Unit(1, 0, "A amp amps ampere amperes"),
        _Unit(0.001, 0, "milliampere milliamperes", "mA"),
    ),
    (  # voltage
        _Unit(1, 0, "V volt volts"),
        _Unit(0.001, 0, "millivolt millivolts", "mV"),
        _Unit(1e3, 0, "kilovolt kilovolts kV"),
    ),
)  # fmt: skip

_QUANTITY = re.compile(
    r"\s*([+\-−]?)([0-9]+)(?:([.,])([0-9]+))?([eE][+-]?[0-9]{1,3})?\s*([^\s0-9.,'’](?:.*\S)?)\s*", re.DOTALL
)
"""Sign, whole part, decimal sign, decimals, exponent and unit of a number with a unit."""
_SAME_SIGN = str.maketrans({"º": "°", "˚": "°", "−": "-", "⁻": "-", "’": "'", "″": '"', "”": '"'})
_NO_SIGN = str.maketrans("", "", "_·⋅∙*.^()[]")
"""Signs that writers of units put or leave out: `kWh`, `kW·h` and `kW*h` are one unit."""


@lru_cache(maxsize=1024)
def factor_and_offset(unit: str, wanted: str) -> tuple[float, float] | None:
    """Return the factor and the offset with which a value in one unit becomes one in another.

    value × factor + offset is the value in the unit `wanted`; (1, 0) for two spellings of one unit. The
    offset belongs to values only: a difference or a deviation is multiplied by the factor alone. Round what
    comes out to DECIMALS. None if either unit is not known, or they measure different quantities.
    """
    for quantity in _QUANTITIES:
        last = _unit_of(wanted, quantity)
        if last is not None:
            first = _unit_of(unit, quantity)
            if first is None:
                return None
            return first.factor / last.factor, (first.offset - last.offset) / last.factor
    return None


def number_and_unit(text: str) -> tuple[float, str] | None:
    """Split a text such as `21,5 °C` into its number and its unit; None for any other text.

    The decimal sign is a point or a comma. A comma before three figures may as well part thousands: such a
    number is not read, unless nothing but 0 stands before the comma.
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST_QUANTITY else None
    if match is None:
        return None
    sign, whole, point, decimals, exponent, unit = match.groups()
    if point == "," and len(decimals) == 3 and whole.strip("0"):
        return None
    number = float(f"{whole}.{decimals or 0}{exponent or ''}")
    return (-number if sign in ("-", "−") else number), unit


def _unit_of(spelling: str, quantity: tuple[_Unit, ...]) -> _Unit | None:
    """Find the unit of a quantity by one of its spellings."""
    if len(spelling) > _LONGEST_UNIT:
        return None
    plain = _plain(spelling)
    for unit in quantity:
        if plain in unit.exact.split() or plain.casefold() in map(str.casefold, unit.spellings.split()):
            return unit
    return None


def _plain(spelling: str) -> str:
    """Return what all spellings of a unit have in common but letter case: `W/m²` and `W / m^2` are `W/m2`."""
    composed = unicodedata.normalize("NFKC", spelling.translate(_SAME_SIGN)).translate(_SAME_SIGN)
    return "".join(composed.translate(_NO_SIGN).split())
