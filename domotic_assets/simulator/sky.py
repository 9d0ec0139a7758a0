"""Computes the true weather at a place and moment, from seed, site and time alone.

Homes feel it and forecasts err around it. How forecasts are written belongs in `forecasts`.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

LAPSE_K_PER_M = 0.0055
VALLEY_ALTITUDE_M = 480
CLEAR_SKY_W_M2 = 1050.0


@dataclass(frozen=True, slots=True)
class Site:
    """A forecast site: its spelling in the files, and its position."""

    name: str
    lat: float = 46.8
    lon: float = 8.2
    altitude_m: float = VALLEY_ALTITUDE_M


# Enough stations for the field's 150,000 rows a day. Coordinates are rounded: they affect only sun and cold.
KNOWN_SITES = tuple(
    Site(*entry)
    for entry in (
        ("Sion", 46.22, 7.33, 482),
        ("Visp", 46.30, 7.84, 639),
        ("Sierre", 46.29, 7.54, 533),
        ("Aadorf / Tänikon", 47.48, 8.90, 539),
        ("Gütsch, Andermatt", 46.65, 8.62, 2286),
        ("Basel / Binningen", 47.54, 7.58, 316),
        ("Genève / Cointrin", 46.25, 6.13, 411),
        ("Zermatt", 46.03, 7.75, 1638),
        ("Montana", 46.30, 7.46, 1423),
        ("Aigle", 46.33, 6.92, 381),
        ("Evionnaz", 46.18, 7.03, 482),
        ("Ulrichen", 46.50, 8.31, 1346),
        ("Bern / Zollikofen", 46.99, 7.46, 553),
        ("Zürich / Affoltern", 47.43, 8.52, 444),
        ("Montagnier, Bagnes", 46.07, 7.22, 839),
        ("Les Marécottes", 46.11, 7.01, 990),
        ("Grächen", 46.20, 7.84, 1606),
        ("Evolène / Villa", 46.11, 7.51, 1825),
        ("Col du Grand St-Bernard", 45.87, 7.17, 2472),
        ("Blatten, Lötschental", 46.42, 7.82, 1538),
        ("Luzern", 47.04, 8.30, 454),
        ("Lugano", 46.00, 8.96, 273),
        ("Neuchâtel", 47.00, 6.95, 485),
    )
)


@dataclass(frozen=True, slots=True)
class Weather:
    """The weather of one moment."""

    temperature_c: float
    humidity_pct: float
    pressure_hpa: float
    radiation_w_m2: float
    rain_mm_per_h: float
    wind_m_s: float
    cloud: float


@dataclass(frozen=True, slots=True)
class _Day:
    anomaly_k: float
    cloud: float
    pressure_hpa: float
    wind_m_s: float
    rain_from_h: float
    rain_to_h: float
    rain_mm_per_h: float


@lru_cache(maxsize=4096)
def _day(seed: int, ordinal: int) -> _Day:
    """Draw the large-scale weather of a UTC day, which is the same over all sites, as fronts are."""
    rng = Random(f"{seed}/sky/{ordinal}")
    cloud = rng.betavariate(0.9, 1.1)
    wet = cloud > 0.55 and rng.random() < 0.7
    rain_from = rng.uniform(0, 20) if wet else 0.0
    return _Day(
        anomaly_k=rng.gauss(0.0, 2.6),
        cloud=cloud,
        pressure_hpa=1018.0 - 9.0 * cloud + rng.gauss(0.0, 4.0),
        wind_m_s=rng.uniform(0.8, 5.0),
        rain_from_h=rain_from,
        rain_to_h=min(24.0, rain_from + rng.uniform(1, 9)) if wet else 0.0,
        rain_mm_per_h=rng.uniform(0.3, 3.5) if wet else 0.0,
    )


def named_site(name: str) -> Site:
    """Return the known site with exactly this name, or make one if there is none.

    A made site is in the middle of Switzerland, at VALLEY_ALTITUDE_M.
    """
    return next((site for site in KNOWN_SITES if site.name == name), Site(name))


class Sky:
    """The weather over one site."""

    def __init__(self, seed: int, site: Site) -> None:
        self.site = site
        self._seed = seed
        rng = Random(f"{seed}/sky/{site.name}")
        self._warmth_k = (VALLEY_ALTITUDE_M - site.altitude_m) * LAPSE_K_PER_M + rng.uniform(-0.6, 0.6)
        self._sin_lat = math.sin(math.radians(site.lat))
        self._cos_lat = math.cos(math.radians(site.lat))

    def at(self, utc: datetime) -> Weather:
        """Return the weather at this moment; it is smooth in time, except at the edges of rain."""
        hour = utc.hour + utc.minute / 60
        ordinal = utc.toordinal()
        today = _day(self._seed, ordinal)
        # A day's figures apply at noon; between two noons they are interpolated.
        neighbour = _day(self._seed, ordinal + (1 if hour >= 12 else -1))
        away = abs(hour - 12) / 24
        anomaly = today.anomaly_k + (neighbour.anomaly_k - today.anomaly_k) * away
        cloud = today.cloud + (neighbour.cloud - today.cloud) * away
        pressure = today.pressure_hpa + (neighbour.pressure_hpa - today.pressure_hpa) * away
        wind = today.wind_m_s + (neighbour.wind_m_s - today.wind_m_s) * away

        turn = math.tau * (utc.timetuple().tm_yday + hour / 24) / 365.25
        solar_hour = hour + self.site.lon / 15
        swing = math.cos(math.tau * (solar_hour - 15.0) / 24)
        season_c = 10.4 - 9.8 * math.cos(turn - 0.34)
        diurnal_k = (2.2 + 3.6 * (1 - cloud)) * swing
        temperature = season_c + anomaly + diurnal_k + self._warmth_k
        declination = 0.4091 * math.sin(turn - 1.394)
        sun = self._sin_lat * math.sin(declination) - self._cos_lat * math.cos(declination) * math.cos(
            math.tau * solar_hour / 24
        )
        raining = today.rain_from_h <= hour < today.rain_to_h
        humidity = 68.0 + 16.0 * (cloud - 0.5) - 2.6 * diurnal_k + (10.0 if raining else 0.0)
        return Weather(
            temperature_c=temperature,
            humidity_pct=min(99.0, max(18.0, humidity)),
            pressure_hpa=pressure,
            radiation_w_m2=max(0.0, sun) * CLEAR_SKY_W_M2 * (1 - 0.78 * cloud * cloud),
            rain_mm_per_h=today.rain_mm_per_h if raining else 0.0,
            wind_m_s=max(0.2, wind + 0.8 * swing),
            cloud=cloud,
        )

    def hour(self, unix_hour: int) -> Weather:
        """Return the weather at a full hour, given as hours since the unix epoch."""
        return self.at(datetime.fromtimestamp(unix_hour * 3600, UTC))
