"""Adds generated homes to those of sites.yaml, and writes a sites.yaml that names them all."""

from pathlib import Path
from typing import Any

from domotic_assets.escaping import yaml_value
from domotic_assets.registry.homes import Home
from domotic_assets.registry.people import Person
from domotic_assets.registry.registry import Registry

PRIVATE_SOURCES = {
    "sensor_files": {"kind": "folder", "address": "share"},
    "weather_files": {"kind": "folder", "address": "weather"},
    "register_rows": {"kind": "sqlite", "address": "register.sqlite"},
}
"""Sources that are beside the written sites.yaml."""

SITES_HEADING = "# Written by `domotic simulate`. Prices are example figures, people are invented.\n"


def with_homes(registry: Registry, count: int) -> Registry:
    """Return the registry with exactly `count` homes: its own first, then generated ones."""
    homes = list(registry.homes[:count])
    while len(homes) < count:
        homes.append(_generated(registry, len(homes) + 1))
    known = {home.id for home in homes}
    people = [_still_at(person, known) for person in registry.people]
    return Registry.model_validate(
        registry.model_copy(
            update={"homes": tuple(homes), "people": tuple(p for p in people if p is not None)}
        )
    )


def _generated(registry: Registry, number: int) -> Home:
    """Make a home with the clock, tariff and rooms of the first; its household follows from its id."""
    first = registry.homes[0]
    sites: list[str | None] = [site.name for site in registry.weather_sites]
    sites = sites or [first.weather_site]
    return Home(
        id=f"home-{number:03d}",
        name=f"Apartment {number}",
        building_name=f"Residence {number}",
        feed_user=f"SimulatedUser{number:03d}",
        time_zone=first.time_zone,
        clock_zone=first.clock_zone,
        weather_site=sites[number % len(sites)],
        tariff=first.tariff,
        rooms=first.rooms,
    )


def _still_at(person: Person, known: set[str]) -> Person | None:
    """Return the person with only the homes that are left; None if the person had some and none is left."""
    homes = tuple(home for home in person.homes if home in known)
    return person.model_copy(update={"homes": homes}) if homes or not person.homes else None


def write_sites(file: Path, registry: Registry) -> None:
    """Write a sites.yaml for this registry, with the sources beside the file."""
    content: dict[str, Any] = registry.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    content["sources"] = PRIVATE_SOURCES
    for tariff in content.get("tariffs", ()):
        for band in tariff["bands"]:
            band["from"], band["to"] = _clock(band["from"]), _clock(band["to"])
    lines = [line for key, value in content.items() for line in _yaml(key, value, "")]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SITES_HEADING + "\n".join(lines) + "\n", encoding="utf-8")


def _clock(minute: int) -> str:
    """Write a minute of the day, counted from midnight, as `HH:MM`; 1440 is `24:00`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _yaml(key: str, value: Any, indent: str) -> list[str]:
    """Write YAML blocks down to entries with plain values only, which are one line in JSON's notation."""
    written = key if key.isidentifier() and key.isascii() else yaml_value(key)
    flat = not isinstance(value, dict | list) or not any(
        isinstance(item, dict | list) for item in (value.values() if isinstance(value, dict) else value)
    )
    if flat:
        return [f"{indent}{written}: {yaml_value(value)}"]
    lines = [f"{indent}{written}:"]
    if isinstance(value, dict):
        for name, item in value.items():
            lines += _yaml(name, item, indent + "  ")
        return lines
    for item in value:
        nested = [line for name, part in item.items() for line in _yaml(name, part, indent + "    ")]
        lines += [f"{indent}  - {nested[0].lstrip()}", *nested[1:]]
    return lines
