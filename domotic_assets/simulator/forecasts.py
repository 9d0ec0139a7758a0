"""Writes the daily forecast file, in the field's CSV: true weather with an error that grows with the step.

There is one row per site, measurement with variant, run and step. The true weather belongs in `sky`.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random

from domotic_assets.localtime import zone
from domotic_assets.registry.registry import Registry
from domotic_assets.simulator.sky import KNOWN_SITES, Site, Sky, Weather, named_site

HEADER = "Time,Value,Prediction,Site,Measurement,Unit"
RUN_HOURS = range(0, 24, 3)
STEPS = range(34)
HOLE = "-99999.0"
HOLE_SHARE = 0.03
"""Share of a site's runs that lack a measurement altogether."""

UNITS = {
    "PRED_DURSUN": "min",
    "PRED_FF_10M": "m/s",
    "PRED_GLOB": "Watt/m2",
    "PRED_RELHUM_2M": "%",
    "PRED_TOT_PREC": "kg/m2",
    "PRED_T_2M": "°C",
}
OVER_TIME = frozenset({"PRED_DURSUN", "PRED_GLOB", "PRED_TOT_PREC"})
"""Measurements over the time since the previous step: step 00 has none."""

ISSUE_HOUR_LOCAL = 7
NORMAL_DECILE = 1.2816
"""Standard deviations from the mean to the 10 % and 90 % quantiles."""


def file_name(issued: date) -> str:
    """Return the file's name, such as `Pred_2023-01-05.csv`."""
    return f"Pred_{issued.isoformat()}.csv"


def issue_moment(issued: date, zone_name: str) -> datetime:
    """Return when the file of this date of issue is written, in UTC."""
    local = datetime(issued.year, issued.month, issued.day, ISSUE_HOUR_LOCAL, tzinfo=zone(zone_name))
    return local.astimezone(UTC)


def forecast_sites(registry: Registry, count: int) -> tuple[Site, ...]:
    """Return the sites that homes need, then well-known stations up to `count` sites."""
    needed = [home.weather_site for home in registry.homes if home.weather_site]
    needed += [site.name for site in registry.weather_sites]
    needed += ["Sion", "Visp"]
    names = list(dict.fromkeys([*needed, *(site.name for site in KNOWN_SITES)]))
    return tuple(named_site(name) for name in names[: max(count, len(dict.fromkeys(needed)))])


def forecast_file(seed: int, issued: date, sites: Sequence[Site]) -> bytes:
    """Return the file of one date of issue; a site's rows depend only on seed, date and site."""
    lines = [HEADER]
    for site in sorted(sites, key=lambda site: site.name):
        lines += _site_rows(seed, issued, site)
    return ("\n".join(lines) + "\n").encode()


def _site_rows(seed: int, issued: date, site: Site) -> list[str]:
    """Return a site's CSV lines of one date of issue, without header and line ends.

    They are ordered by measurement, variant, run and step.
    """
    rng = Random(f"{seed}/forecast/{issued.isoformat()}/{site.name}")
    midnight = datetime(issued.year, issued.month, issued.day, tzinfo=UTC)
    spelling = f'"{site.name}"' if "," in site.name else site.name
    rows: list[str] = []
    for measurement, unit in UNITS.items():
        truth = _hourly_truth(seed, site, issued, measurement)
        blocks: tuple[list[str], ...] = ([], [], [], [])
        values: tuple[str, ...]
        for run in RUN_HOURS:
            hole = rng.random() < HOLE_SHARE
            bias = rng.gauss(0.0, 1.0)
            for step in STEPS:
                valid = f"{midnight + timedelta(hours=run + step):%Y-%m-%d %H:%M:%S}+00:00"
                tail = f"{step:02d},{spelling},{measurement}"
                if hole or (step == 0 and measurement in OVER_TIME):
                    values = (HOLE,) * 4
                else:
                    values = _values(measurement, truth[run + step], step, bias)
                for block, variant, value in zip(blocks, VARIANTS, values, strict=True):
                    block.append(f"{valid},{value},{tail}_{variant},{unit}")
        for block in blocks:
            rows += block
    return rows


VARIANTS = ("ctrl", "q10", "q90", "stde")
_SPREAD = {
    "PRED_DURSUN": 9.0,
    "PRED_FF_10M": 0.8,
    "PRED_GLOB": 70.0,
    "PRED_RELHUM_2M": 7.0,
    "PRED_TOT_PREC": 0.6,
    "PRED_T_2M": 1.1,
}
_BOUNDS = {
    "PRED_DURSUN": (0.0, 60.0),
    "PRED_FF_10M": (0.0, 60.0),
    "PRED_GLOB": (0.0, 1400.0),
    "PRED_RELHUM_2M": (1.0, 100.0),
    "PRED_TOT_PREC": (0.0, 400.0),
    "PRED_T_2M": (-45.0, 45.0),
}


def _values(measurement: str, truth: float, step: int, bias: float) -> tuple[str, ...]:
    """Return ctrl, q10, q90 and stde of one row as texts.

    step: hours from the forecast's start; the error grows with it. bias: the run's error, as a share of the
    spread. A true value of 0, such as the rain of a dry hour, is forecast without error.
    """
    spread = _SPREAD[measurement] * (0.4 + 0.03 * step)
    if truth == 0.0:
        spread = 0.0
    low, high = _BOUNDS[measurement]
    center = truth + bias * spread * 0.7
    wide = NORMAL_DECILE * spread
    points = (center, center - wide, center + wide)
    return (*(f"{min(high, max(low, point)):.1f}" for point in points), f"{spread:.2f}")


def _hourly_truth(seed: int, site: Site, issued: date, measurement: str) -> list[float]:
    """Return the true value at each hour from midnight UTC on; for amounts, that of the hour before."""
    first = int(datetime(issued.year, issued.month, issued.day, tzinfo=UTC).timestamp()) // 3600
    return [
        _measure(measurement, _hour(seed, site, first + hour - (measurement in OVER_TIME)))
        for hour in range(RUN_HOURS[-1] + STEPS[-1] + 1)
    ]


@lru_cache(maxsize=8192)
def _hour(seed: int, site: Site, unix_hour: int) -> Weather:
    """Return the true weather of a site at a full hour, given as hours since the unix epoch; cached."""
    return Sky(seed, site).hour(unix_hour)


def _measure(measurement: str, weather: Weather) -> float:
    """Return the value of a measurement in this weather, in its unit of UNITS.

    Sunshine and rain are amounts for one hour of this weather.
    """
    if measurement == "PRED_DURSUN":
        return 60.0 * (1 - weather.cloud) if weather.radiation_w_m2 > 120 else 0.0
    return {
        "PRED_FF_10M": weather.wind_m_s,
        "PRED_GLOB": weather.radiation_w_m2,
        "PRED_RELHUM_2M": weather.humidity_pct,
        "PRED_TOT_PREC": weather.rain_mm_per_h,
        "PRED_T_2M": weather.temperature_c,
    }[measurement]
