"""Homes and starts that the simulator's tests share."""

from collections.abc import Mapping
from datetime import UTC, datetime

from domotic_assets.registry.homes import Home
from domotic_assets.registry.loading import parse_registry
from domotic_assets.registry.registry import Registry
from domotic_assets.simulator.defects import CLEAN, Delivery
from domotic_assets.simulator.run import Simulation

SITES = """
history_start: 2023-01-01
sources:
  sensor_files: {kind: folder, address: share}
  weather_files: {kind: folder, address: weather}
weather_sites: [{name: Sion, code: sio, lat: 46.2, lon: 7.3}]
tariffs:
  - provider: oiken
    valid_from: 2023-01-01
    bands: [{name: all, from: "00:00", to: "24:00", chf_per_kwh: 0.25}]
homes:
  - {id: first, name: First, feed_user: UserOne, weather_site: Sion, tariff: oiken}
  - {id: second, name: Second, feed_user: UserTwo, weather_site: Sion, tariff: oiken}
people:
  - {user: u-1, role: admin}
  - {user: u-2, role: owner, homes: [second]}
"""

MONDAY = datetime(2023, 9, 4, tzinfo=UTC)
NOON = datetime(2023, 9, 4, 12, tzinfo=UTC)


def registry(homes: int = 1) -> Registry:
    """One or two homes of Sion."""
    parsed = parse_registry(SITES)
    return parsed.model_copy(update={"homes": parsed.homes[:homes]})


def home() -> Home:
    """The first home."""
    return registry().homes[0]


def simulated(
    minutes: int,
    start: datetime = NOON,
    *,
    homes: int = 1,
    seed: int = 7,
    defects: Mapping[str, float] = CLEAN,
) -> list[Delivery]:
    """The sensor files of the first minutes from `start` on."""
    simulation = Simulation(registry(homes), start, seed=seed, defects=defects, weather_sites=2)
    return [delivery for delivery in simulation.deliveries(minutes) if delivery.folder == "share"]
