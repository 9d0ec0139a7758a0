"""Declares the sensor feed's categories and variables once: unit, value kind and bounds.

A variable is `category.field`. A field that is not declared here is kept as an event of a newly registered
variable (kind `unknown`) and reported; it needs an entry here only to get a unit and bounds.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "flag", "state", "text", "counter", "unix_time"]
"""number: bounded measure. flag: JSON boolean. state: "on"/"off" (on = open = 1). text: kept as text.
counter: meter reading (Wh, Wmin), judged by its differences only. unix_time: seconds, without bounds."""


@dataclass(frozen=True)
class Variable:
    """A field of a category; a value outside minimum … maximum is an outlier, None is no bound."""

    category: str
    field: str
    kind: Kind
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    is_word: bool = False
    """Of a text: it is a word for a door or a window, and kept as "Door" or "Window"."""

    @property
    def id(self) -> str:
        """`category.field`."""
        return f"{self.category}.{self.field}"


@dataclass(frozen=True)
class Category:
    """A group of readings in the file: its name, the type of its devices, and their sensor in words."""

    name: str
    device_type: str
    sensor_type: str


CATEGORIES: dict[str, Category] = {
    c.name: c
    for c in (
        Category("plugs", "plug", "smart plug"),
        Category("doorsWindows", "opening", "contact sensor"),
        Category("motions", "motion_sensor", "motion sensor"),
        Category("meteos", "climate_station", "climate station"),
        Category("humidities", "humidity_sensor", "humidity sensor"),
        Category("consumptions", "house_meter", "three-phase meter"),
    )
}

_CELSIUS = ("°C", -20.0, 60.0)
_SHARE = ("%", 0.0, 100.0)
_HOUSE_W = ("W", -30_000.0, 30_000.0)

VARIABLES: dict[str, Variable] = {
    v.id: v
    for v in (
        Variable("plugs", "timePlug", "unix_time", "s"),
        Variable("plugs", "power", "number", "W", 0.0, 10_000.0),
        Variable("plugs", "overpower", "number", "W", 0.0, 10_000.0),
        Variable("plugs", "is_valid", "flag"),
        Variable("plugs", "counter1", "counter", "Wmin"),
        Variable("plugs", "counter2", "counter", "Wmin"),
        Variable("plugs", "counter3", "counter", "Wmin"),
        Variable("plugs", "total", "counter", "Wh"),
        Variable("plugs", "temperature", "number", *_CELSIUS),
        Variable("plugs", "overtemperature", "flag"),
        Variable("plugs", "switch", "flag"),
        Variable("doorsWindows", "type", "text", is_word=True),
        Variable("doorsWindows", "switch", "state"),
        Variable("doorsWindows", "battery", "number", *_SHARE),
        Variable("doorsWindows", "defense", "number"),
        Variable("motions", "motion", "flag"),
        Variable("motions", "light", "number", "lux", 0.0, 200_000.0),
        Variable("motions", "temperature", "number", *_CELSIUS),
        Variable("meteos", "Temperature", "number", *_CELSIUS),
        Variable("meteos", "CO2", "number", "ppm", 300.0, 5_000.0),
        Variable("meteos", "Humidity", "number", *_SHARE),
        Variable("meteos", "Noise", "number", "dB", 0.0, 140.0),
        Variable("meteos", "Pressure", "number", "hPa", 870.0, 1_085.0),
        Variable("meteos", "AbsolutePressure", "number", "hPa", 500.0, 1_100.0),
        Variable("meteos", "battery_percent", "number", *_SHARE),
        Variable("humidities", "temperature", "number", *_CELSIUS),
        Variable("humidities", "humidity", "number", *_SHARE),
        Variable("humidities", "devicePower", "number", *_SHARE),
        Variable("consumptions", "timeConsumption", "unix_time", "s"),
        *(Variable("consumptions", f"power{n}", "number", *_HOUSE_W) for n in (1, 2, 3)),
        *(Variable("consumptions", f"pf{n}", "number", None, -1.0, 1.0) for n in (1, 2, 3)),
        *(Variable("consumptions", f"current{n}", "number", "A", -200.0, 200.0) for n in (1, 2, 3)),
        *(Variable("consumptions", f"voltage{n}", "number", "V", 180.0, 260.0) for n in (1, 2, 3)),
        *(Variable("consumptions", f"is_valid{n}", "flag") for n in (1, 2, 3)),
        Variable("consumptions", "total_power", "number", *_HOUSE_W),
        Variable("consumptions", "switch", "flag"),
    )
}

BATTERY_VARIABLES = ("doorsWindows.battery", "meteos.battery_percent", "humidities.devicePower")
VALIDITY_VARIABLES = ("plugs.is_valid", *(f"consumptions.is_valid{n}" for n in (1, 2, 3)))
